// Zitadel is a small server made with zitadel/oidc, of which only the weight is measured.
package main

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/http"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	const issuer = "http://127.0.0.1:8080"
	secret := rand.Text()
	// The storage of the project's own example: the library has none.
	store := storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{
		"demo": storage.WebClient("demo", secret, issuer+"/callback"),
	})
	config := &op.Config{AuthMethodPost: true, CodeMethodS256: true, GrantTypeRefreshToken: true}
	_, _ = rand.Read(config.CryptoKey[:]) // never fails
	provider, err := op.NewProvider(config, store, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/", provider)
	fmt.Printf("curl %s/.well-known/openid-configuration\n", issuer)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
