package query

import (
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// wordsOf returns the terms for a text of run 1, without their block and without those for initials.
func wordsOf(text string) (words []string) {
	for _, term := range Terms(1, text) {
		if word := strings.TrimPrefix(term, "b0"); !strings.HasSuffix(word, initial) {
			words = append(words, word)
		}
	}
	return words
}

func TestTerms_OfTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"The Disk is full: /dev/sda1 (100%)": {"100", "dev", "disk", "full", "is", "sda1", "the"},
		"zwölf Äpfel, ÉTÉ":                   {"apfel", "ete", "zwolf"},
		"it's 'quoted' \\ & | ! : * <->":     {"it", "quoted", "s"},
		"twice twice":                        {"twice"},
		"中文 かな Ω":                            {"かな", "な", "中文", "文", "ω"},
		"Runboard™ 5℃ ①":                     {"1", "5", "runboard"},
		"失败E1234x失":                          {"e1234x", "失", "失败", "败"},
		"ロード中":                               {"ロード", "ード中", "ド中", "中"},
		"a\u200bb soft\u00adhyphen":          {"ab", "softhyphen"},
		" \n\t...":                           nil,
	} {
		got := wordsOf(text)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q is %q and not %q", text, got, want)
		}
	}
	if long := wordsOf(strings.Repeat("ü", 5000) + strings.Repeat("ж", 5000)); len(long) != 1 ||
		len(long[0]) > maxWord {
		t.Errorf("a long word is %d", len(long[0]))
	}
}

func TestTerms_StartWithTheirBlock(t *testing.T) {
	t.Parallel()
	for run, want := range map[int64]string{
		1: "b0word", BlockSize - 1: "b0word", BlockSize: "b1word", 36 * BlockSize: "c10word",
	} {
		if got := Terms(run, "word"); !slices.Contains(got, want) {
			t.Errorf("of run %d they are %q", run, got)
		}
	}
}

func TestParseTerms_SortsLongestFirst(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Term{
		"full disks":  {{"disks", true}, {"full", false}},
		"disks full":  {{"disks", false}, {"full", true}},
		"a b":         {{"b" + initial, false}, {"a", false}},
		"full full":   {{"full", false}, {"full", true}},
		"/var/lo":     {{"var", false}, {"lo", true}},
		"失败了吗E12":     {{"失败了", false}, {"败了吗", false}, {"e12", true}},
		"E12失":        {{"e12", false}, {"失", true}},
		"disk failed": {{"failed", true}, {"disk", false}},
	} {
		got, err := ParseTerms(text)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("%q asks for %v and not %v: %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "🙂", "™", "\u0301", "- *"} {
		if got, err := ParseTerms(text); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%q asks for %v: %v", text, got, err)
		}
	}
}

// A word of an indexed text is found by each of its beginnings.
func FuzzTerms_AreFoundByPrefix(f *testing.F) {
	for _, text := range []string{"The Disk is full: /dev/sda1", "失败E1234", "Straße ΣΊΣΥΦΟΣ", "バックアップ ﾊﾞｯｸ",
		"ล้มเหลว", "데이터"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		has := Terms(1, text)
		for field := range strings.FieldsSeq(text) {
			chars := []rune(fold(field)) // after fold: half of a composed character is another character
			half := string(chars[:(len(chars)+1)/2])
			asked, err := ParseTerms(half)
			if err != nil || len(field) > app.MaxText {
				continue
			}
			for _, term := range asked {
				if !slices.ContainsFunc(has, func(kept string) bool {
					return kept == "b0"+term.Text || term.Prefix && strings.HasPrefix(kept, "b0"+term.Text)
				}) {
					t.Errorf("%q asks for %v, and %q has %q", half, term, text, has)
				}
			}
		}
	})
}
