package postgres

import "context"

var ctx = context.Background()
