package demo

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// These find in the example server's pages the hidden fields, the scopes that are
// ticked, and the URL that the form is posted to.
var (
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	ticked = regexp.MustCompile(`<input type="checkbox" name="scope" value="([^"]*)" checked>`)
	action = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// Browse stands for a user at a browser without script. It opens the authorization URL,
// signs in, allows what is asked for, and returns the redirect that leads away from the
// server. With it the programs run without a browser. A real client never sees the
// password of a user.
func Browse(ctx context.Context, authorizeURL, username, password string) (*url.URL, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := *HTTP(ctx)
	browser.Jar = jar
	browser.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	here, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, err
	}

	home := here.Host
	var form url.Values
	for range 10 {
		if here.Host != home {
			return here, nil
		}
		res, page, err := open(ctx, &browser, here, form) //nolint:bodyclose // open closes the body
		if err != nil {
			return nil, err
		}
		form = nil
		if to := res.Header.Get("Location"); to != "" {
			if here, err = here.Parse(to); err != nil {
				return nil, err
			}
			continue
		}

		to := action.FindStringSubmatch(page)
		if res.StatusCode != http.StatusOK || to == nil {
			return nil, fmt.Errorf("demo: %s answers %s", here.Path, res.Status)
		}
		if here, err = here.Parse(html.UnescapeString(to[1])); err != nil {
			return nil, err
		}
		form = fill(page, username, password)
	}

	return nil, errors.New("demo: too many pages")
}

// open gets a page or, if there is a form, posts it.
func open(
	ctx context.Context,
	browser *http.Client,
	u *url.URL,
	form url.Values,
) (*http.Response, string, error) {
	method := http.MethodGet
	var body io.Reader
	if form != nil {
		method = http.MethodPost
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := browser.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(io.LimitReader(res.Body, maxBody))

	return res, string(page), err
}

// fill returns the fields that a user posts from a login or a consent form.
func fill(page, username, password string) url.Values {
	form := url.Values{}
	for _, f := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	if strings.Contains(page, `id="login-submit"`) {
		form.Set("username", username)
		form.Set("password", password)
		return form
	}

	for _, s := range ticked.FindAllStringSubmatch(page, -1) {
		form.Add("scope", html.UnescapeString(s[1]))
	}
	form.Set("decision", "allow")

	return form
}
