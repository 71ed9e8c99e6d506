package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// natRole makes the test binary one node of the network that TestNATs builds: it is run again inside each namespace.
const (
	natRole  = "CLEAVE_NAT_ROLE"
	natDir   = "CLEAVE_NAT_DIR"
	natRelay = "CLEAVE_NAT_RELAY" // identity of the relay
	natPeer  = "CLEAVE_NAT_PEER"  // identity of the other host
	natHole  = "CLEAVE_NAT_HOLE"  // not empty: wait for a direct link

	relayIP = "198.51.100.10"
)

// natResult is what the sending node reports.
type natResult struct {
	Error   string
	Relayed bool
	RTT     time.Duration
	MBps    float64
	Reached time.Duration // until the first link stood
	Punched time.Duration // until a direct one stood
}

// TestNATs joins two nodes in network namespaces behind two translators through a public third, with iptables: port-restricted
// translators let a hole be punched, symmetric ones force the relay.
func TestNATs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	for _, c := range []struct {
		name    string
		rule    []string
		relayed bool
	}{
		{"port-restricted", nil, false},
		{"symmetric", []string{"--random-fully"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := buildNATs(t, c.rule)
			r := runNATs(t, ns, !c.relayed)
			if r.Error != "" {
				t.Fatal(r.Error)
			}
			if r.Relayed != c.relayed {
				t.Errorf("relayed %v, want %v", r.Relayed, c.relayed)
			}
			t.Logf("behind two %s translators: reached in %v, directly in %v; relayed %v, rtt %v, 8 MiB at %.0f MB/s",
				c.name, r.Reached.Round(time.Millisecond), r.Punched.Round(time.Millisecond), r.Relayed, r.RTT.Round(time.Microsecond), r.MBps)
		})
	}
}

func sh(t *testing.T, args ...string) error {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// buildNATs makes the namespaces pub (a switch with the relay on it), natX (the translators) and hostX, and returns their names.
func buildNATs(t *testing.T, rule []string) map[string]string {
	t.Helper()
	ns := map[string]string{}
	for _, n := range []string{"pub", "natA", "natB", "hostA", "hostB"} {
		ns[n] = fmt.Sprintf("cleave-%d-%s", os.Getpid(), n)
		if err := sh(t, "ip", "netns", "add", ns[n]); err != nil {
			t.Skipf("cannot make network namespaces here: %v", err)
		}
		t.Cleanup(func() { _ = sh(t, "ip", "netns", "del", ns[n]) })
	}
	do := func(where string, args ...string) {
		t.Helper()
		if err := sh(t, append([]string{"ip", "netns", "exec", ns[where]}, args...)...); err != nil {
			t.Skipf("cannot build the network here: %v", err)
		}
	}
	do("pub", "ip", "link", "set", "lo", "up")
	do("pub", "ip", "link", "add", "br0", "type", "bridge")
	do("pub", "ip", "addr", "add", relayIP+"/24", "dev", "br0")
	do("pub", "ip", "link", "set", "br0", "up")
	for i, side := range []string{"A", "B"} {
		nat, host := "nat"+side, "host"+side
		lan := fmt.Sprintf("10.%d.0", i+1)
		do("pub", "ip", "link", "add", "p"+side, "type", "veth", "peer", "name", "wan", "netns", ns[nat])
		do("pub", "ip", "link", "set", "p"+side, "master", "br0", "up")
		do(nat, "ip", "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", ns[host])
		do(nat, "ip", "addr", "add", fmt.Sprintf("198.51.100.%d/24", i+1), "dev", "wan")
		do(nat, "ip", "addr", "add", lan+".1/24", "dev", "lan")
		do(nat, "ip", "link", "set", "wan", "up")
		do(nat, "ip", "link", "set", "lan", "up")
		do(nat, "sysctl", "-qw", "net.ipv4.ip_forward=1")
		do(nat, append([]string{"iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE"}, rule...)...)
		do(nat, "iptables", "-A", "INPUT", "-i", "wan", "-j", "DROP")
		do(nat, "iptables", "-A", "FORWARD", "-i", "wan", "-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED", "-j", "DROP")
		do(host, "ip", "addr", "add", lan+".2/24", "dev", "eth0")
		do(host, "ip", "link", "set", "lo", "up")
		do(host, "ip", "link", "set", "eth0", "up")
		do(host, "ip", "route", "add", "default", "via", lan+".1")
	}
	return ns
}

// runNATs starts the relay and host B, then host A, which sends to B and reports.
func runNATs(t *testing.T, ns map[string]string, hole bool) natResult {
	t.Helper()
	authority, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	dirs, ids := map[string]string{}, map[string]transport.PeerID{}
	for _, name := range []string{"pub", "hostA", "hostB"} {
		dirs[name] = t.TempDir()
		id, err := transport.LoadIdentity(dirs[name])
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = id.ID()
		chain, err := authority.Issue(id.Public(), admit.Member, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		creds, err := admit.NewCredentials(authority.Public(), chain, id.Public(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := creds.Save(dirs[name]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	start := func(name string, peer transport.PeerID) *bufio.Scanner {
		cmd := exec.CommandContext(ctx, "ip", "netns", "exec", ns[name], os.Args[0], "-test.run", "^TestNATNode$", "-test.v")
		cmd.Env = append(os.Environ(), natRole+"="+name, natDir+"="+dirs[name], natRelay+"="+string(ids["pub"]), natPeer+"="+string(peer))
		if hole {
			cmd.Env = append(cmd.Env, natHole+"=1")
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_ = cmd.Wait()
		})
		return bufio.NewScanner(out)
	}
	await := func(s *bufio.Scanner, prefix string) string {
		t.Helper()
		for s.Scan() {
			if rest, ok := strings.CutPrefix(s.Text(), prefix); ok {
				return rest
			}
		}
		t.Fatalf("a node ended without saying %q", prefix)
		return ""
	}
	await(start("pub", ""), "ready")
	await(start("hostB", ids["hostA"]), "ready")
	var r natResult
	if err := json.Unmarshal([]byte(await(start("hostA", ids["hostB"]), "result ")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestNATNode is a node of TestNATs; alone it does nothing.
func TestNATNode(t *testing.T) {
	role := os.Getenv(natRole)
	if role == "" {
		t.Skip("run by TestNATs")
	}
	id, err := transport.LoadIdentity(os.Getenv(natDir))
	if err != nil {
		t.Fatal(err)
	}
	creds, err := admit.LoadCredentials(os.Getenv(natDir), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := transport.Config{Identity: id, Credentials: creds, Listen: "0.0.0.0:25328", Relay: role == "pub"}
	h, err := transport.Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.Handle(transport.KindTensor, discard)
	if role != "pub" {
		relay := transport.PeerID(os.Getenv(natRelay))
		h.Learn(relay, relayIP+":25328")
		h.SetRelays([]transport.PeerID{relay})
		if err := h.Connect(t.Context(), relay); err != nil {
			t.Fatal(err)
		}
	}
	if role != "hostA" {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	var r natResult
	to := transport.PeerID(os.Getenv(natPeer))
	dial := time.Now()
	if err := h.Connect(t.Context(), to); err != nil {
		r.Error = err.Error()
	}
	r.Reached = time.Since(dial)
	// The first link goes through the relay; a hole, where one can be punched, follows within seconds.
	if os.Getenv(natHole) != "" {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			if p, _ := h.Path(to); p.Connected && !p.Relayed {
				r.Punched = time.Since(dial)
				break
			}
		}
	}
	begin := time.Now()
	if err := h.Send(t.Context(), to, transport.Header{}, writeN(8<<20)); err != nil {
		r.Error = err.Error()
	}
	r.MBps = float64(8<<20) / 1e6 / time.Since(begin).Seconds()
	p, _ := h.Path(to)
	r.Relayed, r.RTT = p.Relayed, p.MinRTT
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("result %s\n", b)
}
