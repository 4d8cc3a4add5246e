package http

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// partly makes a request one of htmx for a fragment.
func partly(r *http.Request) {
	r.Header.Set("HX-Request", "true")
	r.Header.Set("HX-Request-Type", "partial")
}

func startWithInputs(t *testing.T) (*harness.Program, *httpexpect.Expect) {
	t.Helper()
	p := harness.StartProgram(t, nil, harness.WithInputs(harness.WorkThat("backup", "")),
		harness.WorkThat("report", ""))
	return p, harness.NewExpect(t, p)
}

func TestKindsPage_ListsKinds(t *testing.T) {
	t.Parallel()
	p, e := startWithInputs(t)
	body := e.GET("/kinds").Expect().Status(http.StatusOK).HasContentType("text/html", "utf-8").Body()
	for _, want := range []string{`<h2>Databases</h2>`, `<a href="/kinds/backup">Back up a database</a>`,
		"Dumps one database.", `<a href="/kinds/report">report</a>`, "never run"} {
		body.Contains(want)
	}
	batch, err := p.Enqueue(context.Background(), "report")
	if err != nil {
		t.Fatal(err)
	}
	harness.CountsAre(t, e, map[string]any{"completed": 1})
	body = e.GET("/kinds").Expect().Body()
	body.Contains(`data-status="completed"`).Contains(fmt.Sprintf(`href="/process_runs/%d"`, batch.First))
	if err := p.Store.PauseKind(context.Background(), "report", true); err != nil {
		t.Fatal(err)
	}
	e.GET("/kinds").Expect().Body().Contains(">paused</b>")
	e.GET("/kinds/report").Expect().Body().Contains(`action="/kinds/report/resume"`)
}

func TestKindsPage_AnswersWithAFragment(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	e.GET("/kinds").WithTransformer(partly).Expect().Status(http.StatusOK).Body().
		HasPrefix(`<div id="kinds">`).Contains(`href="/kinds/report"`)
	e.GET("/kinds/report").WithTransformer(partly).Expect().Status(http.StatusOK).Body().HasPrefix("<form ")
}

func TestKindsPage_IsInTheNavigation(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	text := e.GET("/process_runs").Expect().Body().Raw()
	_, nav, _ := strings.Cut(text, `<nav class="pages"`)
	nav, _, _ = strings.Cut(nav, "</nav>")
	if items := strings.Split(nav, "</a>"); !strings.HasSuffix(items[1], `<a href="/kinds">Start`) {
		t.Errorf("the second item is %s", items[1])
	}
}

// The form of the board chooses a kind without scripts.
func TestKindsPage_RedirectsToTheChosenKind(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	e.GET("/process_runs").Expect().Body().Contains(`<form action="/kinds"`).
		Contains(`<option value="report">`)
	e.GET("/kinds").WithQuery("kind", "report").Expect().Status(http.StatusSeeOther).
		Header("Location").IsEqual("/kinds/report")
	e.GET("/kinds").WithQuery("kind", "../x\r\ny").Expect().Status(http.StatusSeeOther).
		Header("Location").IsEqual("/kinds/..%2Fx%0D%0Ay")
	e.GET("/kinds").WithQueryString("kind=report&kind=backup").Expect().Status(http.StatusBadRequest)
}

func TestKindPage_UnknownKindIsNotFound(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	for _, path := range []string{"/kinds/other", "/kinds/%00", "/kinds/%zz", "/kinds/backup/",
		"/kinds/Backup", "/kinds/simulated"} {
		e.GET(path).Expect().Status(http.StatusNotFound).Body().NotContains(`method="post"`)
	}
	e.POST("/kinds/other/preview").Expect().Status(http.StatusNotFound)
	e.GET("/kinds/backup/preview").Expect().Status(http.StatusMethodNotAllowed)
}

func TestKindPage_AddressFillsTheForm(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	body := e.GET("/kinds/backup").WithQueryString("input.database=crm&input.level=3&input.compress=false&" +
		"input.tables=a&input.tables=c&input.label=x+y&input.hosts=one%0Atwo&" +
		"input.token=hunter2&input.other=z&kind=report&count=5").Expect().Status(http.StatusOK).Body()
	for _, want := range []string{`value="crm" checked`, `name="input.level" value="3"`, `value="a" checked`,
		`value="c" checked`, `name="input.label" value="x y"`, "one\ntwo</textarea>",
		`<code>--level=3</code> <code>x y</code>`} {
		body.Contains(want)
	}
	for _, wrong := range []string{"hunter2", `value="shop" checked`, `value="true" checked`, "input.other",
		`aria-invalid="true"`, "--gzip"} {
		body.NotContains(wrong)
	}
	harness.CountsAre(t, e, map[string]any{"created": 0, "started": 0, "completed": 0})
}

func TestKindPage_SaysWhatIsWrongInTheAddress(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	const query = "input.level=10&input.database=other&input.label="
	body := e.GET("/kinds/backup").WithQueryString(query).Expect().Status(http.StatusOK).Body()
	body.Contains("Level must be between 1 and 9.").Contains("Database must be one of shop, crm.").
		Contains(`aria-describedby="input_level_fault" aria-invalid="true"`).Contains(`value="10"`).
		NotContains("input_label_fault").Contains("To see the command, enter Database and Level.")
}

func TestKindPage_RunFillsTheForm(t *testing.T) {
	t.Parallel()
	p, e := startWithInputs(t)
	long := strings.Repeat("host\n", 1000)
	create := func(kind, hosts string) int64 {
		batch, err := p.Store.Create(context.Background(), app.CreateRequest{Kind: kind, Count: 1,
			Inputs: app.InputValues{{Name: "hosts", Type: app.LinesInput, Texts: []string{hosts}}}})
		if err != nil {
			t.Fatal(err)
		}
		return batch.First
	}
	pageOf := func(id int64) *httpexpect.String {
		return e.GET(fmt.Sprintf("/process_runs/%d", id)).Expect().Status(http.StatusOK).Body()
	}
	pageOf(create("backup", "h")).Contains(`href="/kinds/backup?input.hosts=h">Run again</a>`)
	id := create("backup", long)
	pageOf(id).Contains(fmt.Sprintf(`href="/kinds/backup?run=%d"`, id))
	e.GET("/kinds/backup").WithQuery("run", id).Expect().Status(http.StatusOK).Body().Contains(long)
	for _, other := range []any{create("report", long), 999, "x", -1} {
		e.GET("/kinds/backup").WithQuery("run", other).Expect().Status(http.StatusOK).Body().
			NotContains("host\nhost")
	}
	e.GET("/kinds/backup").WithQueryString("run=1&run=2").Expect().Status(http.StatusBadRequest)
}

func TestKindPage_HasTheLiveListOfItsRuns(t *testing.T) {
	t.Parallel()
	p, e := startWithInputs(t)
	for _, kind := range []string{"backup", "report"} {
		if _, err := p.Enqueue(context.Background(), kind); err != nil {
			t.Fatal(err)
		}
	}
	e.GET("/kinds/backup").Expect().Body().Contains(`hx-ws:connect="/process_runs/live?kind=backup"`).
		Contains(`id="process_run_1"`).NotContains(`id="process_run_2"`)
}

func TestPreview_ShowsTheCommand(t *testing.T) {
	t.Parallel()
	_, e := startWithInputs(t)
	preview := func(form map[string]string) *httpexpect.String {
		request := e.POST("/kinds/backup/preview").WithTransformer(partly)
		for name, value := range form {
			request = request.WithFormField(name, value)
		}
		return request.Expect().Status(http.StatusOK).Body()
	}
	preview(map[string]string{"input.level": "7", "input.label": "a  <b>"}).Contains("enter Label")
	preview(map[string]string{"input.level": "7", "input.label": "a  b"}).
		Contains("<code>./backup.sh</code> <code>shop</code> <code>--level=7</code> <code>--gzip</code> " +
			"<code>a  b</code>").
		Contains("/srv/ops").Contains("PGHOST").Contains("Starts at once.")
	preview(map[string]string{"input.level": "x"}).Contains("To see the command, enter Level.").
		NotContains("backup.sh")
	preview(map[string]string{"count": "3"}).Contains("3 runs. The first starts at once.")
	preview(map[string]string{"count": "x"}).Contains("Starts at once.")
	preview(map[string]string{"input.hosts": strings.Repeat("a", 60<<10)}).Contains("enter Hosts")
}

func TestPreview_FollowsTheQueue(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	defer open()
	kind.Info.Concurrency = 1
	one := func(c *board.Config) { c.Workers = 1 }
	p := harness.StartProgram(t, one, kind)
	e := harness.NewExpect(t, p)
	preview := func() string {
		return e.POST("/kinds/gate/preview").WithTransformer(partly).Expect().Status(http.StatusOK).
			Body().Raw()
	}
	if text := preview(); !strings.Contains(text, "Starts at once.") {
		t.Errorf("an idle board says %s", text)
	}
	for range 3 {
		if _, err := p.Enqueue(context.Background(), "gate"); err != nil {
			t.Fatal(err)
		}
	}
	harness.CountsAre(t, e, map[string]any{"started": 1, "created": 2})
	if text := preview(); !strings.Contains(text, "Starts later, 3 before it.") {
		t.Errorf("a busy board says %s", text)
	}
}
