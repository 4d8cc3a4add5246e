package jobs

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"runboard/jobs/command"
)

// CommandUser returns the user named by text, as NAME or UID:GID, or nil if text is empty. It fails if
// the user does not exist or is root, or if this process may not switch users.
func CommandUser(text string) (*command.User, error) {
	if text == "" {
		return nil, nil
	}
	found, err := parseUser(text)
	switch {
	case err != nil:
		return nil, err
	case found.UID == 0 || found.GID == 0:
		return nil, fmt.Errorf("%q is root: name another user, because root could control the server", text)
	case os.Geteuid() != 0:
		return nil, errors.New("only root can run commands as another user")
	}
	return found, nil
}

// parseUser parses NAME or UID:GID. A UID needs no entry in the system's user database.
func parseUser(text string) (*command.User, error) {
	uid, gid, numbers := strings.Cut(text, ":")
	if !numbers {
		known, err := user.Lookup(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither the name of a user nor UID:GID", text)
		}
		return namedUser(known)
	}
	found := &command.User{Name: uid, Home: "/"}
	var err error
	if found.UID, err = parseID(uid); err == nil {
		found.GID, err = parseID(gid)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is neither the name of a user nor UID:GID", text)
	}
	if known, err := user.LookupId(uid); err == nil { // an entry is not required
		found.Name, found.Home = known.Username, known.HomeDir
	}
	return found, nil
}

// namedUser converts an entry of the user database, including its supplementary groups.
func namedUser(known *user.User) (*command.User, error) {
	groups, err := known.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("the groups of %s cannot be read: %w", known.Username, err)
	}
	var ids []uint32
	for _, text := range append([]string{known.Uid, known.Gid}, groups...) {
		id, err := parseID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return &command.User{
		UID: ids[0], GID: ids[1], Groups: ids[2:], Name: known.Username, Home: known.HomeDir,
	}, nil
}

// parseID parses the ID of a user or group. It rejects the largest number, which means "no ID" to the system.
func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err == nil && id == 1<<32-1 {
		err = strconv.ErrRange
	}
	return uint32(id), err
}
