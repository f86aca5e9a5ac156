package grantwell_test

import (
	"net/http"
	"testing"
)

// Whatever a browser sends, Grantwell accepts nothing that fosite refuses, and
// where both accept they read the same. The seeds are requests of the generator;
// fuzzing alone misses classes that the generator makes.
func FuzzAuthorize_AcceptsNothingThatFositeRefuses(f *testing.F) {
	seeds := newOpinionGenerator(2)
	clients := newOpinionClients()
	for i := range 300 {
		q := seeds.request(clients)
		f.Add(uint8(i), q.method == http.MethodPost, q.query, q.body)
	}
	servers := newOpinionServers(f)
	f.Fuzz(func(t *testing.T, server uint8, post bool, query, body string) {
		q := opinionRequest{method: http.MethodGet, query: query}
		if post {
			q.method = http.MethodPost
			q.body = body
		}
		s := servers[int(server)%len(servers)]
		v := s.grantwell(t, q)
		if v.request != nil {
			s.secondOpinion(t, q, v.request)
			return
		}
		s.staysHome(t, q, v)
	})
}
