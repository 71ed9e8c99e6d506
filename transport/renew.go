package transport

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// Certificates are renewed, and joins passed on, between members:
//
//	admit := 1                     answer: a join's answer (join.go)      renew my certificate
//	       | 2 subject(32) token   answer: a join's answer                a stranger showed me this token
const (
	admitRenew   = 1
	admitForward = 2

	// renewCheck is how often a host looks at the end of its certificate.
	renewCheck = time.Hour
	// renewSpread is the time over which members renew when the authority's key has changed, so that they do not come at once;
	// renewRetry how long one waits that found no authority under the new key.
	renewSpread = 20 * time.Second
	renewRetry  = time.Minute
	// renewShare is the share of a certificate's lifetime that is left when it is renewed.
	renewShare = 3
)

// issuerHere is what this host may issue certificates with: the desk that ServeJoins opened, or its own certificate of role
// authority; nil when it may not.
func (h *Host) issuerHere() *admit.Issuer {
	h.mu.Lock()
	desk := h.issuer
	h.mu.Unlock()
	if desk != nil {
		return desk.issuer
	}
	c := h.Credentials()
	if c == nil || c.Chain[0].Role != admit.Authority {
		return nil
	}
	a, err := admit.NewIssuer(h.identity.private, c.Chain)
	if err != nil {
		return nil
	}
	return a
}

// serveAdmit answers members.
func (h *Host) serveAdmit(_ context.Context, in *Incoming) {
	b, err := in.ReadAll(1 + ed25519.PublicKeySize + admit.MaxToken)
	if err != nil || len(b) == 0 {
		in.Fail(CodeMalformed, "empty or oversized request")
		return
	}
	switch b[0] {
	case admitRenew:
		public, err := in.From.Public()
		a := h.issuerHere()
		if err != nil || a == nil {
			_, _ = in.Write([]byte{joinNotHere})
			return
		}
		_, _ = in.Write(h.issue(a, public, in.Role))
	case admitForward:
		if len(b) < 1+ed25519.PublicKeySize {
			in.Fail(CodeMalformed, "request is cut off")
			return
		}
		_, _ = in.Write(h.admitStranger(b[1:1+ed25519.PublicKeySize], string(b[1+ed25519.PublicKeySize:])))
	default:
		in.Fail(CodeMalformed, fmt.Sprintf("request of kind %d", b[0]))
	}
}

// issue makes the answer that carries a new certificate.
func (h *Host) issue(a *admit.Issuer, public ed25519.PublicKey, role admit.Role) []byte {
	chain, err := a.Issue(public, role, time.Now(), 0)
	if err != nil {
		h.log.Error("certificate not issued", "error", err.Error())
		return []byte{joinInternal}
	}
	out := append([]byte{joinOK}, h.Credentials().Founder...)
	b := admit.Proof{Chain: chain, Line: h.Credentials().Trust.Line()}.Append(nil)
	out = binary.BigEndian.AppendUint16(out, uint16(len(b)))
	return append(out, b...)
}

// authorities are the connected peers that may issue certificates.
func (h *Host) authorities() []PeerID {
	var out []PeerID
	for _, r := range h.remotes() {
		if l := r.current(); l != nil && l.rests.peer[0].Role == admit.Authority {
			out = append(out, r.id)
		}
	}
	return out
}

// passOn asks authorities to admit a stranger whose token this member cannot judge: only the authority that made a token knows how often
// it was used. answer is what the stranger is told if none of them made it.
func (h *Host) passOn(ctx context.Context, public ed25519.PublicKey, text string, answer []byte) []byte {
	if _, err := admit.ParseToken(text); err != nil {
		return answer
	}
	for _, id := range h.authorities() {
		b, err := h.call(ctx, id, KindAdmit, append(append([]byte{admitForward}, public...), text...))
		if err == nil && len(b) > 0 && b[0] != joinNotHere && b[0] != joinInvalid {
			return b
		}
	}
	return answer
}

// Renew gets a new certificate for the same role from the connected authorities, or issues it itself where the host keeps the
// authority's key. Of several that it is offered it keeps one under the newest authority key, with the shortest chain.
func (h *Host) Renew(ctx context.Context) error {
	old := h.Credentials()
	if old == nil {
		return ErrNotMember
	}
	h.mu.Lock()
	desk := h.issuer
	h.mu.Unlock()
	if desk != nil && desk.issuer.Root() {
		_, err := h.takeRenewal(h.issue(desk.issuer, h.identity.Public(), old.Chain[0].Role), nil)
		return err
	}
	var best admit.Chain
	var errs []error
	for _, id := range h.authorities() {
		b, err := h.call(ctx, id, KindAdmit, []byte{admitRenew})
		var got admit.Chain
		if err == nil {
			got, err = h.takeRenewal(b, best)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		best = got
		// A deputy's chain is part of every chain that it issues, so that it looks for a short one.
		if old.Trust.Current(best) && (len(best) == 1 || old.Chain[0].Role != admit.Authority) {
			break
		}
	}
	if best != nil {
		return nil
	}
	if len(errs) == 0 {
		return errors.New("transport: renew certificate: no authority is connected")
	}
	return fmt.Errorf("transport: renew certificate: %w", errors.Join(errs...))
}

// takeRenewal judges an authority's answer and makes it the host's certificate, unless the one taken before (nil: none) is
// better. It returns the better one.
func (h *Host) takeRenewal(b []byte, before admit.Chain) (admit.Chain, error) {
	got, err := parseJoinReply(b, h.identity.Public(), time.Now())
	if err != nil {
		return nil, err
	}
	for _, s := range got.Trust.Line() {
		if _, err := h.Succeed(s); err != nil {
			return nil, err
		}
	}
	h.credMu.Lock()
	defer h.credMu.Unlock()
	old := h.Credentials()
	if _, err := old.Trust.Verify(got.Chain, h.identity.Public(), time.Now()); err != nil {
		return nil, err
	}
	if newer, older := old.Trust.Current(got.Chain), old.Trust.Current(before); before != nil &&
		(older && !newer || older == newer && len(before) <= len(got.Chain)) {
		return before, nil
	}
	c := &admit.Credentials{Founder: old.Founder, Chain: got.Chain, Trust: old.Trust} // what is known of evictions stays
	if err := h.setCredentials(c); err != nil {
		return nil, err
	}
	h.mu.Lock()
	if h.issuer != nil {
		h.issuer.issuer.Renewed(c.Chain)
	}
	h.mu.Unlock()
	if h.cfg.Renewed != nil {
		h.cfg.Renewed(c)
	}
	return c.Chain, nil
}

// renewLoop renews the certificate in time, and soon after the authority's key has changed.
func (h *Host) renewLoop() {
	defer h.wg.Done()
	next := time.NewTimer(rand.N(renewSpread))
	defer next.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.renewWake:
			next.Reset(rand.N(renewSpread))
		case now := <-next.C:
			next.Reset(h.renewIfDue(now))
		}
	}
}

// renewIfDue returns when to look again.
func (h *Host) renewIfDue(now time.Time) time.Duration {
	c := h.Credentials()
	if c == nil {
		return renewCheck
	}
	leaf := c.Chain[0]
	if c.Trust.Current(c.Chain) && leaf.NotAfter.Sub(now) > leaf.NotAfter.Sub(leaf.NotBefore)/renewShare {
		return renewCheck
	}
	ctx, cancel := context.WithTimeout(h.ctx, joinTimeout)
	defer cancel()
	if err := h.Renew(ctx); err != nil {
		h.log.Warn("certificate not renewed", "ends", leaf.NotAfter, "error", err.Error())
	} else {
		h.log.Info("certificate renewed")
	}
	if c = h.Credentials(); !c.Trust.Current(c.Chain) {
		return renewRetry
	}
	return renewCheck
}
