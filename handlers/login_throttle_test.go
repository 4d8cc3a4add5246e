package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// hashed returns a login whose hash has the minimum cost.
func hashed(t *testing.T, user, password string) Login {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return Login{User: user, Hash: string(hash)}
}

func testLogins(t *testing.T) *logins {
	t.Helper()
	return newLogins([]Login{
		{User: "carl", Password: "open:sesame"},
		hashed(t, "anna", "correct horse"),
		hashed(t, "bert", "battery staple"),
	}, slog.New(slog.DiscardHandler))
}

func TestLogins_EachUserHasOnePassword(t *testing.T) {
	l := testLogins(t)
	right := map[string]string{"anna": "correct horse", "bert": "battery staple", "carl": "open:sesame"}
	for _, name := range []string{"anna", "bert", "carl", "dora", "", "Anna", "anna "} {
		for _, password := range []string{"correct horse", "battery staple", "open:sesame", "open", "",
			"correct horse "} {
			want := right[name] == password && password != ""
			if got := l.verify(name, password); got != want {
				t.Errorf("%q with %q is right: %t, want %t", name, password, got, want)
			}
		}
	}
}

func TestLogins_UnknownUserCostsAHash(t *testing.T) {
	l := newLogins([]Login{hashed(t, "anna", "correct horse")}, slog.New(slog.DiscardHandler))
	compared, compare := 0, l.compare
	l.compare = func(hash, password []byte) error {
		compared++
		return compare(hash, password)
	}
	for i, name := range []string{"anna", "dora", "", strings.Repeat("x", 5000)} {
		if l.verify(name, "wrong") || compared != i+1 {
			t.Errorf("%.10q is refused after %d comparisons, want %d", name, compared, i+1)
		}
	}
}

func TestLogins_ConcurrentChecksAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, finish := testLogins(t), make(chan struct{})
		l.compare = func([]byte, []byte) error {
			<-finish
			return errors.New("wrong")
		}
		l.checks = make(chan struct{}, 1)
		ended := make(chan verdict)
		for i := range 2 {
			go func() {
				got, _ := l.check(fmt.Sprint("192.0.2.", i), "anna", "guess", time.Now())
				ended <- got
			}()
		}
		if got := <-ended; got != limited {
			t.Errorf("the one that waits is answered with %v", got)
		}
		if l.limit.all.level != 1 {
			t.Errorf("%v failures are counted, want that of the login being checked", l.limit.all.level)
		}
		close(finish)
		if got := <-ended; got != wrong {
			t.Errorf("the one that is checked is answered with %v", got)
		}
	})
}

func TestLogins_AnAddressIsLimitedAndRecovers(t *testing.T) {
	l, now := testLogins(t), time.Now()
	const guesser, other = "192.0.2.1", "192.0.2.2"
	for i := range shortTerm.most {
		if got, _ := l.check(guesser, "anna", fmt.Sprint("guess ", i), now); got != wrong {
			t.Fatalf("guess %d: %v", i, got)
		}
	}
	for _, password := range []string{"guess", "correct horse"} { // valid passwords get the same answer
		if got, wait := l.check(guesser, "anna", password, now); got != limited || wait <= 0 ||
			wait > shortTerm.interval {
			t.Errorf("%q is answered with %v, %v", password, got, wait)
		}
	}
	for range 2 * shortTerm.most { // valid logins from other addresses do not count
		if got, _ := l.check(other, "anna", "correct horse", now); got != accepted {
			t.Fatalf("from another address the user is answered with %v", got)
		}
	}
	if got, _ := l.check(guesser, "anna", "correct horse", now); got != limited {
		t.Errorf("remembered credentials can be told from wrong ones: %v", got)
	}
	if got, _ := l.check(guesser, "anna", "correct horse", now.Add(30*time.Second)); got != accepted {
		t.Errorf("after 30 s the user is answered with %v", got)
	}
}

func TestLoginThrottle_TakesNoMoreThanAllowed(t *testing.T) {
	throttle, now := newLoginThrottle(), time.Now()
	for i := range shortTerm.most {
		if wait := throttle.take("192.0.2.1", now); wait > 0 {
			t.Fatalf("guess %d has to wait for %v", i, wait)
		}
	}
	if wait := throttle.take("192.0.2.1", now); wait <= 0 || wait > shortTerm.interval {
		t.Errorf("a guess above the limit has to wait for %v", wait)
	}
	if wait := throttle.take("192.0.2.1", now.Add(shortTerm.interval)); wait > 0 {
		t.Errorf("after the interval a guess has to wait for %v", wait)
	}
}

func TestLogins_ConcurrentGuessesAreCounted(t *testing.T) {
	l, now := testLogins(t), time.Now()
	var mu sync.Mutex
	got := map[verdict]int{}
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			one, _ := l.check("192.0.2.1", "bert", fmt.Sprint("guess ", i), now)
			mu.Lock()
			defer mu.Unlock()
			got[one]++
		})
	}
	all.Wait()
	if got[wrong] != shortTerm.most || got[limited] != 300-shortTerm.most {
		t.Errorf("of 300 guesses at once %d were checked, want %d", got[wrong], shortTerm.most)
	}
}

func TestLogins_ConcurrentRightOnesAreLetIn(t *testing.T) {
	l, now := testLogins(t), time.Now()
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if got, _ := l.check("192.0.2.1", "bert", "battery staple", now); got != accepted {
				t.Errorf("it is answered with %v", got)
			}
		})
	}
	all.Wait()
}

func TestLogins_GuessesFromManyAddressesAreLimitedTogether(t *testing.T) {
	l, now := testLogins(t), time.Now()
	if got, _ := l.check("192.0.2.1", "anna", "correct horse", now); got != accepted {
		t.Fatal(got)
	}
	looked := 0
	for i := range 3 * inAll.most {
		address, password := fmt.Sprint("198.51.100.", i), fmt.Sprint("guess ", i)
		if got, _ := l.check(address, "anna", password, now); got == wrong {
			looked++
		}
	}
	if looked != inAll.most {
		t.Errorf("%d guesses from many addresses were checked, want %d", looked, inAll.most)
	}
	if got, _ := l.check("192.0.2.1", "bert", "battery staple", now); got != accepted {
		t.Errorf("an address with a successful login is locked out by others: %v", got)
	}
	if got, _ := l.check("203.0.113.1", "bert", "battery staple", now.Add(inAll.interval)); got != accepted {
		t.Errorf("a new address is answered with %v after a moment", got)
	}
}

func TestLogins_UsersCannotGuessOtherPasswords(t *testing.T) {
	l, now := testLogins(t), time.Now()
	looked := 0
	for i := range 10 * longTerm.most {
		if i%(shortTerm.most-1) == 0 { // a valid login resets the short term
			_, _ = l.check("192.0.2.1", "anna", "correct horse", now)
		}
		if got, _ := l.check("192.0.2.1", "bert", fmt.Sprint("guess ", i), now); got == wrong {
			looked++
		}
	}
	if looked != longTerm.most {
		t.Errorf("%d guesses were checked, want %d", looked, longTerm.most)
	}
	if got, _ := l.check("192.0.2.1", "bert", "battery staple", now.Add(30*time.Second)); got != accepted {
		t.Errorf("after 30 s the user is answered with %v", got)
	}
}

func TestRefusals_AreLoggedOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRefusedLogLimiter(slog.New(slog.NewTextHandler(&log, nil)))
		for range 130 { // for more than two minutes
			for range 50 {
				r.record("192.0.2.1", "anna")
			}
			time.Sleep(time.Second)
		}
		r.record("192.0.2.2", strings.Repeat("x", 500))
		r.close()
		synctest.Wait()
		text := log.String()
		// the first, two minutes, and the rest at the end
		if n := strings.Count(text, "address=192.0.2.1"); n != 4 {
			t.Errorf("%d lines:\n%s", n, text)
		}
		if !strings.Contains(text,
			"address=192.0.2.2 user="+strings.Repeat("x", longestUserInLog)+" number=1") {
			t.Errorf("the other address is missing:\n%s", text)
		}
		total := 0
		for _, line := range strings.Split(text, "\n") {
			var n int
			if _, found, _ := strings.Cut(line, "address=192.0.2.1 user=anna number="); found != "" {
				_, _ = fmt.Sscan(found, &n)
			}
			total += n
		}
		if total != 130*50 {
			t.Errorf("the lines tell of %d refused logins, want %d", total, 130*50)
		}
	})
}

func TestRefusals_ManyAddressesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRefusedLogLimiter(slog.New(slog.NewTextHandler(&log, nil)))
		for i := range 10_000 {
			r.record(fmt.Sprint("address-", i), "anna")
		}
		r.close()
		if n := strings.Count(log.String(), "\n"); n != refusalsAtOnce+1 ||
			!strings.Contains(log.String(), fmt.Sprint("number=", 10_000-refusalsAtOnce)) {
			t.Errorf("there are %d lines", n)
		}
	})
}
