package board

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"runboard/app"
)

// readSecrets reads the key of secret inputs if a kind has one. With SQLite the key may be missing;
// makeSecrets makes it. Once read, the key stays.
func (o *offer) readSecrets(kinds []Kind) error {
	if o.secrets.Load() != nil || !slices.ContainsFunc(kinds, hasSecret) {
		return nil
	}
	path := o.secretKeyPath()
	if path == "" {
		return errors.New("--secret-key-file: a kind has a secret input, so all nodes need a file " +
			"with the same key; openssl rand -hex 32 makes one")
	}
	key, err := readSecretKey(path)
	if errors.Is(err, fs.ErrNotExist) && !o.config.UsesPostgres() {
		return nil
	}
	return o.setSecrets(path, key, err)
}

// makeSecrets makes the key of secret inputs if a kind has one and readSecrets has found none.
func (o *offer) makeSecrets(kinds []Kind) error {
	if o.secrets.Load() != nil || !slices.ContainsFunc(kinds, hasSecret) {
		return nil
	}
	path := o.secretKeyPath()
	key, err := makeSecretKey(path)
	return o.setSecrets(path, key, err)
}

// setSecrets sets the key that path has, unless it could not be read or made.
func (o *offer) setSecrets(path string, key []byte, err error) error {
	var box *app.SecretBox
	if err == nil {
		box, err = app.NewSecretBox(key)
	}
	if err != nil {
		return fmt.Errorf("--secret-key-file: %s: %w", path, withoutPath(err))
	}
	o.secrets.Store(box)
	return nil
}

// secretKeyPath returns the path of the file with the key; "" if the operator must name one.
func (o *offer) secretKeyPath() string {
	if o.config.SecretKey != "" || o.config.UsesPostgres() {
		return o.config.SecretKey
	}
	return o.config.DatabasePath() + ".key"
}

// withoutPath returns err without the name of the call and the path, which the caller names.
func withoutPath(err error) error {
	if fault, ok := errors.AsType[*fs.PathError](err); ok {
		return fault.Err
	}
	return err
}

func hasSecret(kind Kind) bool {
	return slices.ContainsFunc(kind.Info.Inputs, func(i app.Input) bool { return i.Type == app.SecretInput })
}

// maxKeyFile is the maximum size of the file of a key.
const maxKeyFile = 4 << 10

// readSecretKey reads a key that only its owner can read: any bytes, at least app.SecretKeySize of them.
func readSecretKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("other users can read it (mode %04o); use chmod 600", info.Mode().Perm())
	case info.Size() < app.SecretKeySize || info.Size() > maxKeyFile:
		return nil, fmt.Errorf("it has %d bytes, and a key has %d to %d",
			info.Size(), app.SecretKeySize, maxKeyFile)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(content) > app.SecretKeySize { // a line of text, which editors end with a newline
		content = bytes.TrimSuffix(content, []byte("\n"))
	}
	key := sha256.Sum256(content)
	return key[:], nil
}

// makeSecretKey creates the file of a key, which is whole as soon as it can be seen. If another process has
// made it meanwhile, makeSecretKey reads that.
func makeSecretKey(path string) ([]byte, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := fmt.Fprintf(file, "%x\n", app.NewSecretKey()); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return readSecretKey(path)
}

// syncDir makes the entries of a directory survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
