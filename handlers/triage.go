package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

var errNoFailure = app.Errorf(app.CodeNotFound, "There is no such error.")

// findFailure returns the failure group in the path.
func (s *Server) findFailure(c *fiber.Ctx) (app.Failure, error) {
	id, ok := parseNumber(c.Params("id"))
	if !ok || id == 0 {
		return app.Failure{}, errNoFailure
	}
	return s.store.Failure(c.UserContext(), id)
}

// parseTriage parses the body of a command on the failure group in the path, and returns the group and the
// body's field with a name. given is false if the body has no such field.
func (s *Server) parseTriage(c *fiber.Ctx, name string) (_ app.Failure, value string, given bool, err error) {
	body, err := parseBody(c)
	if err != nil {
		return app.Failure{}, "", false, err
	}
	values, err := body.single(name)
	if err != nil {
		return app.Failure{}, "", false, err
	}
	failure, err := s.findFailure(c)
	return failure, values[name], len(body[name]) > 0, err
}

// showNoteForm answers GET /process_runs/failures/:id/note.
func (s *Server) showNoteForm(c *fiber.Ctx) error {
	failure, err := s.findFailure(c)
	if err != nil {
		return err
	}
	return s.sendNoteForm(c, failure, failure.Note, "")
}

// sendNoteForm sends the form for the note of a group. problem is the reason why the note was refused, or "".
func (s *Server) sendNoteForm(c *fiber.Ctx, failure app.Failure, note, problem string) error {
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newFailureJSON(failure))
	case asFragment:
		replaceForm(c, problem)
		return sendHTML(c)(s.Templates.NoteForm(failure, note, problem))
	}
	return sendHTML(c)(s.Templates.NotePage(failure, note, problem))
}

// annotateFailure answers POST /process_runs/failures/:id/note. An empty note removes the note.
func (s *Server) annotateFailure(c *fiber.Ctx) error {
	failure, text, given, err := s.parseTriage(c, "note")
	if err != nil {
		return err
	}
	if !given {
		return app.Errorf(app.CodeInvalid, "The note is missing. Send an empty one to remove it.")
	}
	note, err := app.ParseNote(text)
	if err != nil && negotiate(c) != asJSON {
		_, _, problem := s.toHTTP(err)
		return s.sendNoteForm(c.Status(fiber.StatusUnprocessableEntity), failure, text, problem)
	}
	if err != nil {
		return err
	}
	if failure, err = s.store.AnnotateFailure(c.UserContext(), failure.ID, note); err != nil {
		return err
	}
	s.audit(c, "note", failure.Runs, "failure", failure.ID, "note", note)
	if note == "" {
		return s.sendTriaged(c, failure, "Note removed.", time.Time{})
	}
	return s.sendTriaged(c, failure, "Note saved.", time.Time{})
}

// showMuteForm answers GET /process_runs/failures/:id/mute.
func (s *Server) showMuteForm(c *fiber.Ctx) error {
	failure, err := s.findFailure(c)
	if err != nil {
		return err
	}
	return s.sendMuteForm(c, failure, time.Time{}, "")
}

// sendMuteForm sends the form that mutes a group. problem is the reason why until was refused, or "".
func (s *Server) sendMuteForm(c *fiber.Ctx, failure app.Failure, until time.Time, problem string) error {
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newFailureJSON(failure))
	case asFragment:
		replaceForm(c, problem)
		return sendHTML(c)(s.Templates.MuteForm(failure, until, problem))
	}
	return sendHTML(c)(s.Templates.MutePage(failure, until, problem))
}

// muteFailure answers POST /process_runs/failures/:id/mute. until is a duration, such as 24h, or a time.
func (s *Server) muteFailure(c *fiber.Ctx) error {
	failure, text, _, err := s.parseTriage(c, "until")
	if err != nil {
		return err
	}
	until, err := app.ParseMute(text, time.Now())
	if err != nil && negotiate(c) != asJSON {
		_, _, problem := s.toHTTP(err)
		return s.sendMuteForm(c.Status(fiber.StatusUnprocessableEntity), failure, until, problem)
	}
	if err != nil {
		return err
	}
	if failure, err = s.store.MuteFailure(c.UserContext(), failure.ID, until); err != nil {
		return err
	}
	s.audit(c, "mute", failure.Runs, "failure", failure.ID, "until", until)
	return s.sendTriaged(c, failure, "Muted until", failure.MutedUntil)
}

// unmuteFailure answers POST /process_runs/failures/:id/unmute. It ignores the body, but fails if the body is
// malformed.
func (s *Server) unmuteFailure(c *fiber.Ctx) error {
	failure, _, _, err := s.parseTriage(c, "")
	if err != nil {
		return err
	}
	if failure, err = s.store.MuteFailure(c.UserContext(), failure.ID, time.Time{}); err != nil {
		return err
	}
	s.audit(c, "unmute", failure.Runs, "failure", failure.ID)
	return s.sendTriaged(c, failure, "No longer muted.", time.Time{})
}

// sendTriaged sends the answer to a command on a failure group, which is as the command left it. A browser
// gets the message, and the time after it unless that is zero.
func (s *Server) sendTriaged(c *fiber.Ctx, failure app.Failure, message string, until time.Time) error {
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newFailureJSON(failure))
	case asFragment:
		return sendHTML(c)(s.Templates.Triaged(message, until))
	}
	return c.Redirect(templates.FailuresPath, fiber.StatusSeeOther)
}
