package authorize

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"time"

	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// replayWindow is how long a form that is posted again gets its answer again. A double
// click, or a browser that repeats a request whose answer it lost, takes no longer.
const replayWindow = 15 * time.Second

// sent is the answer to a request, as it is kept with the interaction.
type sent struct {
	Params seam.Params `json:"params"`
	At     time.Time   `json:"at"`
}

// formDigest returns the digest of a posted form; nil: nothing was posted.
func formDigest(req *http.Request) []byte {
	if req.Method != http.MethodPost || len(req.PostForm) == 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(req.PostForm.Encode()))

	return sum[:]
}

// sealer returns the cipher for the answer to one form of one browser. The key rests on
// the handle and the cookie, of which the store has only digests, so that a copy of
// the store does not have the code in the answer.
func (to *Request) sealer() (cipher.AEAD, error) {
	key := sha256.Sum256([]byte(storage.JoinKey("grantwell answer", to.handle, to.browser, string(to.form))))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}

	return cipher.NewGCMWithRandomNonce(block)
}

// seal returns the data of an interaction that is answered. Without a posted form, and
// without an answer, nothing is kept.
func (to *Request) seal(params seam.Params, now time.Time) ([]byte, error) {
	if to.form == nil || len(params) == 0 {
		return to.waiting.Data, nil
	}
	plain, err := json.Marshal(sent{Params: params, At: now})
	if err != nil {
		return nil, err
	}
	aead, err := to.sealer()
	if err != nil {
		return nil, err
	}
	wait := to.wait
	wait.Answer = aead.Seal(nil, nil, plain, nil)

	return json.Marshal(wait)
}

// replay returns the answer that the same form was given some seconds ago.
func (to *Request) replay(now time.Time) (seam.Params, bool) {
	if to.form == nil || to.wait.Answer == nil {
		return nil, false
	}
	aead, err := to.sealer()
	if err != nil {
		return nil, false
	}
	plain, err := aead.Open(nil, nil, to.wait.Answer, nil)
	if err != nil {
		return nil, false // another form
	}
	var before sent
	if json.Unmarshal(plain, &before) != nil || now.Sub(before.At) > replayWindow {
		return nil, false
	}

	return before.Params, true
}
