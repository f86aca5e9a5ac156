package authorize

import (
	"context"
	"net/http"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/tokens"
)

// DisplayCode writes the page that shows the code of the redirect that led to it. It
// shows nothing that has not the form of one of the server's codes.
func (r *Room) DisplayCode(w http.ResponseWriter, req *http.Request, codes tokens.Opaque) {
	e := browser.Event("displaycode")
	r.Frame.Page(w, req, &e, func(ctx context.Context) error {
		q, err := r.Frame.FormAll(w, req)
		if err != nil {
			return malformed(err)
		}
		code := q.Get("code")
		if _, err := codes.Verify(ctx, code); err == nil && q.Get("iss") == r.Frame.Issuer {
			pages.Code(w, r.Frame.Language(&seam.Authorization{}, req), code)
			return nil
		}
		if refusal := q.Get("error"); slices.Contains(browser.Codes(), refusal) {
			if r.Frame.ErrorPage == nil {
				pages.Denied(w, r.Frame.Language(&seam.Authorization{}, req), http.StatusBadRequest, refusal)
				return nil
			}
			return &grants.Error{
				Code:        refusal,
				Description: "The application was not given access.",
				Status:      http.StatusBadRequest,
				Reason:      grants.ReasonNoResponse,
			}
		}

		return grants.InvalidRequest("There is no code to show.")
	})
}
