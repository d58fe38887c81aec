package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

// sessions are files, so that they outlive the process and can be shared. A file is named by the digest of its token, so
// that whoever reads the directory cannot sign in with what is there.
type sessions struct {
	root     *os.Root
	lifetime time.Duration
}

// A session is one sign-in of a user.
type session struct {
	User    string    `json:"user"`
	Expires time.Time `json:"expires"`
	token   string
}

func openSessions(dir string, lifetime time.Duration) (*sessions, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &sessions{root, lifetime}, nil
}

func (ss *sessions) create(user string) (session, error) {
	ss.removeExpired()
	s := session{User: user, Expires: time.Now().Add(ss.lifetime), token: rand.Text()}
	data, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	return s, withoutPath(ss.root.WriteFile(fileOf(s.token), data, 0o600))
}

// of returns the session of a token, or errSignIn.
func (ss *sessions) of(token string) (session, error) {
	data, err := ss.root.ReadFile(fileOf(token))
	if errors.Is(err, fs.ErrNotExist) {
		return session{}, errSignIn
	}
	if err != nil {
		return session{}, withoutPath(err)
	}
	var s session
	if json.Unmarshal(data, &s) != nil || time.Now().After(s.Expires) {
		return session{}, errSignIn
	}
	s.token = token
	return s, nil
}

func (ss *sessions) remove(token string) error {
	return withoutPath(ss.root.Remove(fileOf(token)))
}

// removeExpired runs at each sign-in, so that there are never more files than sign-ins of one lifetime.
func (ss *sessions) removeExpired() {
	entries, _ := fs.ReadDir(ss.root.FS(), ".") // the next sign-in tries again
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > ss.lifetime {
			_ = ss.root.Remove(entry.Name())
		}
	}
}

func fileOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// withoutPath takes the path out of an error of package os.
func withoutPath(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

// csrf is derived from the session's token, which the page's scripts cannot read.
func (s session) csrf() string {
	sum := sha256.Sum256([]byte("csrf " + s.token))
	return hex.EncodeToString(sum[:])
}

func (s session) hasCSRF(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.csrf())) == 1
}

func (s *Server) cookieName() string {
	if s.Secure {
		return "__Host-clinic"
	}
	return "clinic"
}

func (s *Server) cookie(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Server) setCookie(w http.ResponseWriter, token string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: token, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteStrictMode,
	})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	var form struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &form); err != nil {
		return err
	}
	if !s.limits.allowSignIn(form.User) {
		return errRate
	}
	want, known := s.Users[form.User]
	got, expected := sha256.Sum256([]byte(form.Password)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(got[:], expected[:]) != 1 || !known {
		return errPassword
	}
	who, err := s.sessions.create(form.User)
	if err != nil {
		return err
	}
	s.setCookie(w, who.token, int(s.Lifetime.Seconds()))
	return s.showSession(w, r, who)
}

func (s *Server) signOut(w http.ResponseWriter, _ *http.Request, who session) error {
	s.setCookie(w, "", -1)
	if err := s.sessions.remove(who.token); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showSession says what the page must know: who is signed in, the token that changes need, and the limits.
func (s *Server) showSession(w http.ResponseWriter, _ *http.Request, who session) error {
	writeJSON(w, http.StatusOK, map[string]any{
		"user": who.User, "csrf": who.csrf(), "sample": s.Sample != nil,
		"maxChunk": recording.MaxChunk, "maxChunks": recording.MaxChunks,
	})
	return nil
}
