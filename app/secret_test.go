package app

import (
	"bytes"
	"testing"
)

func TestSecretBox_OpensWhatItSealed(t *testing.T) {
	box, err := NewSecretBox(NewSecretKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal("backup", "token", "hunter2 hunter2")
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Error("the sealed value contains the secret")
	}
	if got, err := box.Open("backup", "token", sealed); err != nil || got != "hunter2 hunter2" {
		t.Errorf("Open returned %q, %v", got, err)
	}
	if bytes.Equal(sealed, box.Seal("backup", "token", "hunter2 hunter2")) {
		t.Error("equal secrets are sealed alike")
	}
}

func TestSecretBox_RefusesOtherKeysAndInputs(t *testing.T) {
	box, _ := NewSecretBox(NewSecretKey())
	other, _ := NewSecretBox(NewSecretKey())
	sealed := box.Seal("backup", "token", "hunter2")
	if _, err := other.Open("backup", "token", sealed); err == nil {
		t.Error("another key opens it")
	}
	if _, err := box.Open("backup", "other", sealed); err == nil {
		t.Error("it opens as another input")
	}
	if _, err := box.Open("backup", "token", sealed[:5]); err == nil {
		t.Error("a part of it opens")
	}
	if _, err := NewSecretBox([]byte("short")); err == nil {
		t.Error("a short key is accepted")
	}
}

func TestSecretBox_FingerprintNeedsKey(t *testing.T) {
	key := NewSecretKey()
	box, _ := NewSecretBox(key)
	same, _ := NewSecretBox(key)
	other, _ := NewSecretBox(NewSecretKey())
	print := box.Fingerprint([]byte("hunter2"))
	if print != same.Fingerprint([]byte("hunter2")) {
		t.Error("the same key makes another fingerprint")
	}
	if print == other.Fingerprint([]byte("hunter2")) || print == box.Fingerprint([]byte("hunter3")) {
		t.Error("another key or content makes the same fingerprint")
	}
}
