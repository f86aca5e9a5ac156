package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/grantwell/grantwell/grants"
)

const (
	maxUsersFile = 4 << 20 // bytes
	maxUsers     = 10_000
)

const demoUser = "johndoe"

// users stands for the user table of a service. It keeps a keyed digest of each
// password, in memory only. A table on disk needs a slow hash instead: argon2id or
// bcrypt.
type users struct {
	key    []byte
	byName map[string]user
}

type user struct {
	digest [sha256.Size]byte
	grants.User
}

func newUsers() users {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)

	return users{key: key, byName: make(map[string]user)}
}

var _ grants.Authenticator = users{}

// Authenticate implements [grants.Authenticator], for the login page and for the
// password grant. It does the same work for a user who does not exist, so that the
// time of an answer does not reveal it.
func (u users) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	known, ok := u.byName[l.Username]
	digest := u.digest(l.Password)
	if !hmac.Equal(digest[:], known.digest[:]) || !ok {
		return grants.User{}, grants.ErrWrongPassword
	}

	return known.User, nil
}

func (u users) digest(password string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, u.key)
	mac.Write([]byte(password))

	return [sha256.Size]byte(mac.Sum(nil))
}

func (u users) add(name, password string, granted grants.User) {
	u.byName[name] = user{digest: u.digest(password), User: granted}
}

// addUsers adds the demo user and then those of the file, who win if the names are
// equal.
func (a *app) addUsers(o options, shared *secrets) error {
	password := shared.Passwords[demoUser]
	a.users.add(demoUser, password, grants.User{Subject: demoUser})
	a.demo.Passwords[demoUser] = password
	if o.users == "" {
		return nil
	}

	f, err := os.Open(o.users)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := a.users.read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", o.users, err)
	}
	for _, name := range names {
		delete(a.demo.Passwords, name) // the demo file holds no password of the host's users
	}

	return nil
}

// read adds the users of a JSON array and returns their names.
func (u users) read(r io.Reader) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxUsersFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxUsersFile {
		return nil, errors.New("the file is too large")
	}
	var list []struct {
		Username string         `json:"username"`
		Password string         `json:"password"`
		Subject  string         `json:"sub"` // absent: the username
		Claims   map[string]any `json:"claims"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) { // its text has Go types
			err = fmt.Errorf("the value at byte %d is of type %s", wrongType.Offset, wrongType.Value)
		}
		return nil, fmt.Errorf("not a JSON array of objects with username, password, sub and claims: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(b))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&list); err != nil {
		fmt.Fprintln(os.Stderr, "server: users: ignored, with any further one:", strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(list) > maxUsers {
		return nil, errors.New("there are too many users")
	}

	names := make([]string, 0, len(list))
	for i, in := range list {
		if in.Username == "" || in.Password == "" {
			return nil, fmt.Errorf("user %d: username and password are needed", i)
		}
		if in.Subject == "" {
			in.Subject = in.Username
		}
		u.add(in.Username, in.Password, grants.User{Subject: in.Subject, Claims: in.Claims})
		names = append(names, in.Username)
	}

	return names, nil
}
