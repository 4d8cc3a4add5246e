package app

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// SecretKeySize is the size of the key of a SecretBox, in bytes.
const SecretKeySize = 32

// SecretBox encrypts the secret inputs of runs that wait. It may be used by any goroutine.
type SecretBox struct {
	aead  cipher.AEAD
	print []byte // key of Fingerprint
}

// NewSecretBox returns a box with a key of SecretKeySize random bytes.
func NewSecretBox(key []byte) (*SecretBox, error) {
	if len(key) != SecretKeySize {
		return nil, fmt.Errorf("the key must have %d bytes", SecretKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	derived := hmac.New(sha256.New, key)
	derived.Write([]byte("fingerprint"))
	return &SecretBox{aead: aead, print: derived.Sum(nil)}, nil
}

// Fingerprint returns a text that is the same for the same content. Without the key of the box, nothing about
// the content can be learned from it, not even by guessing.
func (b *SecretBox) Fingerprint(content []byte) string {
	hash := hmac.New(sha256.New, b.print)
	hash.Write(content)
	return hex.EncodeToString(hash.Sum(nil))
}

// Seal encrypts the value of an input of a kind.
func (b *SecretBox) Seal(kind, input, value string) []byte {
	context := secretContext(kind, input)
	return b.aead.Seal(nil, nil, []byte(value), context) // #nosec G407 -- the AEAD adds a random nonce
}

// Open decrypts what Seal returned for the same input. It fails if the key was another one.
func (b *SecretBox) Open(kind, input string, sealed []byte) (string, error) {
	value, err := b.aead.Open(nil, nil, sealed, secretContext(kind, input))
	if err != nil {
		return "", errors.New("the secret was encrypted with another key, or is damaged")
	}
	return string(value), nil
}

// secretContext binds a sealed value to its input, so that it opens as no other.
func secretContext(kind, input string) []byte { return []byte(kind + "\x00" + input) }

// NewSecretKey returns a random key for NewSecretBox.
func NewSecretKey() []byte {
	key := make([]byte, SecretKeySize)
	_, _ = rand.Read(key) // never fails
	return key
}
