package dbtest

import (
	"slices"
	"testing"

	"runboard/app"
)

func (f fixture) checkWords(t *testing.T) {
	t.Helper()
	failed := f.failedWith("The Disk is full: /dev/sda1 (100%), see /var/log/syslog.1 and full-disk.txt; code E_1042, x=7")
	writing := f.writes(f.in(app.Started), "reading zwölf files for Ångström, ΣΊΣΥΦΟΣ and Straße\n",
		"from the disk at 10:42:07.123\n")
	other := f.writes(f.in(app.Started), "nothing here, it's ＦＵＬＬ Ｗｉｄｔｈ and e\u0301te\u0301\n")
	for text, want := range map[string][]app.ProcessRun{
		"disk":              {writing, failed},
		"DISK full":         {failed},
		"dis":               {writing, failed}, // the final term may be a prefix
		"full dis":          {failed},
		"dis full":          nil, // other words may not
		"iles":              nil,
		"diskette":          nil,
		"zwolf":             {writing},
		"zwölf":             {writing},
		"zwo\u0308lf":       {writing},
		"ANGSTROM":          {writing},
		"σίσυφος":           {writing},
		"STRASSE":           {writing},
		"été":               {other},
		"full width":        {other},
		"ｆｕｌｌ":              {other, failed},
		"it's":              {other},
		"dev sda1":          {failed},
		"/dev/sda1":         {failed},
		"/var/lo":           {failed},
		"/var/log/sys":      {failed},
		"full-di":           {failed},
		"full-disk.t":       {failed},
		"E_1042":            {failed},
		"e_10":              {failed},
		"x=7":               {failed},
		"10:42:07":          {writing},
		"10:42:07.12":       {writing},
		"here nothing":      {other},
		"is":                {failed},
		"i":                 {other, failed}, // begins is and it
		"x 7":               {failed},
		"x x x 7 7":         {failed},
		`"disk" OR full`:    nil, // there are no operators
		"disk -full":        {failed},
		"text:disk":         nil,
		"disk*":             {writing, failed},
		"100%":              {failed},
		"disk 🙂":            {writing, failed},
		"'disk' & 'full' !": {failed},
	} {
		f.finds(text, want...)
	}
	page := f.page(app.Query{Filter: app.Filter{Text: "disk", Filtered: true, Status: app.Failed}})
	if got := ids(page.Runs); !slices.Equal(got, []int64{failed.ID}) || page.MatchCount != 1 ||
		page.MatchCountCapped {
		t.Errorf("among failed runs it finds %v, %d in all", got, page.MatchCount)
	}
}

// checkScripts tests scripts without spaces, in which any part of a text may be a word.
func checkScripts(t *testing.T, f fixture) {
	t.Helper()
	chinese := f.failedWith("数据库连接失败E1234，请重试")
	japanese := f.failedWith("データベースのバックアップに失敗しました")
	korean := f.failedWith("데이터베이스에서 연결이 끊어졌습니다")
	thai := f.failedWith("การเชื่อมต่อฐานข้อมูลล้มเหลว")
	other := f.failedWith("ハックが成功しました 败失 गड़बड़ हिन्दी")
	for text, want := range map[string][]app.ProcessRun{
		"失败": {chinese}, "败": {other,
			chinese}, "失败E1234": {chinese}, "E1234": {chinese}, "e12": {chinese}, "E123": {chinese},
		"连接失败": {chinese}, "接失": {chinese}, "败E1234": {chinese}, "重试": {chinese},
		"数据库 失败": {chinese}, "库失败": nil, "失敗": {japanese}, "ベース": {japanese}, "バックアップ": {japanese},
		"クアッ": {japanese}, "ー": {japanese}, "ﾊﾞｯｸ": {japanese}, "ハック": {other}, "しました": {other, japanese},
		"데이터": {korean}, "베이스": {korean}, "연결": {korean}, "끊": {korean}, "에서 연결이": {korean},
		"ฐานข้อมูล": {thai}, "ล้มเหลว": {thai}, "เชื่อม": {thai},
		"हिन्दी": {other}, "हिन": {other}, "失敗しました": {japanese},
	} {
		f.inside(t).finds(text, want...)
	}
}
