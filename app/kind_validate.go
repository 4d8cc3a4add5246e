package app

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Highest values of policies.
const (
	MaxAttempts    = 1000
	MaxTimeout     = 30 * 24 * time.Hour
	MaxConcurrency = 1_000_000 // far more than all workers of a cluster; sums of it must not overflow
)

// Validate checks the declaration of a kind, but not its name, and not each input for itself;
// Input.Validate does the latter. The error is for the author of the declaration; key names the part of it
// that is wrong.
func (k Kind) Validate() (key string, err error) {
	if err := k.validateInputs(); err != nil {
		return "inputs", err
	}
	if key, err := k.Policy.Validate(); err != nil {
		return key, err
	}
	if err := k.validateConcurrencyKey(); err != nil {
		return "concurrency_key", fmt.Errorf("concurrency_key: %w", err)
	}
	if err := k.validateConfirm(); err != nil {
		return "confirm", fmt.Errorf("confirm: %w", err)
	}
	return "", nil
}

// Validate checks the limits. The error is for the author of the policy; key names the limit that is wrong.
func (p Policy) Validate() (key string, err error) {
	switch {
	case p.Timeout < 0 || p.Timeout > MaxTimeout:
		const text = "timeout must be above 0 and at most %d days"
		return "timeout", fmt.Errorf(text, MaxTimeout/(24*time.Hour))
	case p.Attempts < 0 || p.Attempts > MaxAttempts:
		return "attempts", fmt.Errorf("attempts must be between 1 and %d", MaxAttempts)
	case p.Concurrency < 0 || p.Concurrency > MaxConcurrency:
		const text = "concurrency must be between 0, for any number, and %d"
		return "concurrency", fmt.Errorf(text, MaxConcurrency)
	}
	return "", nil
}

func (k Kind) validateInputs() error {
	if len(k.Inputs) > MaxInputs {
		return fmt.Errorf("there are %d inputs, more than %d", len(k.Inputs), MaxInputs)
	}
	for n, input := range k.Inputs {
		if slices.ContainsFunc(k.Inputs[:n], func(i Input) bool { return i.Name == input.Name }) {
			return fmt.Errorf("two inputs are named %s", input.Name)
		}
	}
	return nil
}

func (k Kind) validateConcurrencyKey() error {
	if len(k.ConcurrencyKey) > 0 && k.Concurrency == 0 {
		return errors.New("it needs concurrency")
	}
	for n, name := range k.ConcurrencyKey {
		if slices.Contains(k.ConcurrencyKey[:n], name) {
			return fmt.Errorf("it lists %q twice", name)
		}
		if err := k.validateReference(name); err != nil {
			return err
		}
	}
	return nil
}

func (k Kind) validateConfirm() error {
	for _, match := range placeholder.FindAllStringSubmatch(k.Confirm, -1) {
		if match[1] == "" {
			continue // {{name}}
		}
		if err := k.validateReference(match[1]); err != nil {
			return err
		}
	}
	return nil
}

// validateReference fails unless name is an input that may be shown.
func (k Kind) validateReference(name string) error {
	n := slices.IndexFunc(k.Inputs, func(i Input) bool { return i.Name == name })
	switch {
	case n < 0:
		return fmt.Errorf("{%s} is not one of its inputs", name)
	case k.Inputs[n].Type == SecretInput:
		return fmt.Errorf("{%s} is a secret", name)
	}
	return nil
}
