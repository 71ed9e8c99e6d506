package transport

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
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
	b := chain.Append(nil)
	out = binary.BigEndian.AppendUint16(out, uint16(len(b)))
	return append(out, b...)
}

// authorities are the connected peers that may issue certificates.
func (h *Host) authorities() []PeerID {
	var out []PeerID
	for _, r := range h.remotes() {
		if l := r.current(); l != nil && l.member.Role == admit.Authority {
			out = append(out, r.id)
		}
	}
	return out
}

// passOn asks authorities to admit a stranger whose token this member cannot judge.
func (h *Host) passOn(ctx context.Context, public ed25519.PublicKey, text string) []byte {
	answer := []byte{joinNotHere}
	for _, id := range h.authorities() {
		b, err := h.call(ctx, id, KindAdmit, append(append([]byte{admitForward}, public...), text...))
		if err != nil || len(b) == 0 {
			continue
		}
		answer = b
		if b[0] == joinOK {
			break
		}
	}
	return answer
}

// Renew gets a new certificate for the same role from any connected authority, or issues it itself where the host may.
func (h *Host) Renew(ctx context.Context) error {
	old := h.Credentials()
	if old == nil {
		return ErrNotMember
	}
	var errs []error
	take := func(b []byte) error {
		c, err := parseJoinReply(b, h.identity.Public(), time.Now())
		if err != nil {
			return err
		}
		// What is known of evictions stays.
		c = &admit.Credentials{Founder: old.Founder, Chain: c.Chain, Trust: old.Trust}
		if _, err := old.Trust.Verify(c.Chain, h.identity.Public(), time.Now()); err != nil {
			return err
		}
		if err := h.setCredentials(c); err != nil {
			return err
		}
		if h.cfg.Renewed != nil {
			h.cfg.Renewed(c)
		}
		return nil
	}
	h.mu.Lock()
	desk := h.issuer
	h.mu.Unlock()
	if desk != nil {
		return take(h.issue(desk.issuer, h.identity.Public(), old.Chain[0].Role))
	}
	for _, id := range h.authorities() {
		b, err := h.call(ctx, id, KindAdmit, []byte{admitRenew})
		if err == nil {
			err = take(b)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return errors.New("transport: renew certificate: no authority is connected")
	}
	return fmt.Errorf("transport: renew certificate: %w", errors.Join(errs...))
}

// renewLoop renews the certificate in time.
func (h *Host) renewLoop() {
	defer h.wg.Done()
	tick := time.NewTicker(renewCheck)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-tick.C:
			c := h.Credentials()
			if c == nil {
				continue
			}
			leaf := c.Chain[0]
			if leaf.NotAfter.Sub(now) > leaf.NotAfter.Sub(leaf.NotBefore)/renewShare {
				continue
			}
			ctx, cancel := context.WithTimeout(h.ctx, joinTimeout)
			if err := h.Renew(ctx); err != nil {
				h.log.Warn("certificate not renewed", "ends", leaf.NotAfter, "error", err.Error())
			} else {
				h.log.Info("certificate renewed")
			}
			cancel()
		}
	}
}
