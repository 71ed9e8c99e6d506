package kernel

import (
	"slices"
	"testing"
)

func TestCompact(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(60) {
			s := randomConv(r, func() (int, int, int) {
				g := 1 + r.IntN(3)
				return g * (1 + r.IntN(9)), g * (1 + r.IntN(70)), g
			})
			scale := uniform(r, s.OC)
			n := s.OC * s.C / s.Groups * s.KH * s.KW
			whole, scaled := make([]float32, n), make([]float32, n)
			for i := range whole {
				whole[i] = float32(r.IntN(256) - 128)
				scaled[i] = whole[i] * scale[i/(n/s.OC)]
			}
			want := PackConv(scaled, s)
			c := NewCompactConv(PackConv(whole, s), scale)
			memory, intact := guarded(t, c.Size(), 0, float32(7))
			got, task := c.Over(memory), c.NewExpand()
			task.To = memory
			half := task.Units() / 2
			task.Run(half, task.Units())
			task.Run(0, half)
			intact()
			for i, p := range want.groups {
				if !slices.Equal(p.data, got.groups[i].data) || got.groups[i].N != p.N || got.groups[i].K != p.K {
					t.Fatalf("%+v: group %d differs", s, i)
				}
			}
		}
	})
}
