package handshake

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// ErrProof means that a proof does not show what it should.
var ErrProof = errors.New("consensus-identity proof is wrong")

// proofDomain keeps proofs apart from all else that a consensus key signs.
const proofDomain = "weft/handshake/proof/1\x00"

// maxProof bounds an encoded proof in bytes: key, signature, tags.
const maxProof = ed25519.PublicKeySize + ed25519.SignatureSize + 8

// IdentityProof shows that a node holds the key of a consensus identity: the
// signature over Proven. It is worth nothing from another node, to another node,
// in another network or at another time. The zero value is no proof.
type IdentityProof struct {
	Key       []byte // Ed25519 public key of the consensus identity
	Signature []byte
}

const (
	proofKey protowire.Number = iota + 1
	proofSignature
)

// None says that there is no proof.
func (p IdentityProof) None() bool { return len(p.Key) == 0 && len(p.Signature) == 0 }

// Proven is what a proof signs: who proves it to whom, in which handshake.
//
//	domain || u16 len, network || u16 len, genesis || u16 len, prover || u16 len, verifier || u64 time in ms
func Proven(h Handshake, prover, verifier core.PeerID) []byte {
	b := []byte(proofDomain)
	for _, part := range []string{h.Network, string(h.Genesis), string(prover), string(verifier)} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(h.Time.UnixMilli()))
}

// Prove signs the handshake h, otherwise complete, that prover is about to send
// to verifier.
func Prove(key ed25519.PrivateKey, h Handshake, prover, verifier core.PeerID) IdentityProof {
	return IdentityProof{
		Key:       key.Public().(ed25519.PublicKey),
		Signature: ed25519.Sign(key, Proven(h, prover, verifier)),
	}
}

// Verify checks the proof in a handshake that prover sent to verifier. Whether
// the key belongs to a validator is for the caller to say.
func (p IdentityProof) Verify(h Handshake, prover, verifier core.PeerID) error {
	if len(p.Key) != ed25519.PublicKeySize || !ed25519.Verify(p.Key, Proven(h, prover, verifier), p.Signature) {
		return fmt.Errorf("%w: the signature over both peer IDs does not match the key", ErrProof)
	}
	return nil
}

func (p IdentityProof) append(b []byte) []byte {
	b = appendBytes(b, proofKey, p.Key)
	return appendBytes(b, proofSignature, p.Signature)
}

func parseProof(raw []byte) (p IdentityProof, err error) {
	var once frame.Once
	err = frame.EachField(raw, func(f frame.Field) (err error) {
		switch f.Number {
		case proofKey:
			p.Key, err = exactly(f, ed25519.PublicKeySize)
		case proofSignature:
			p.Signature, err = exactly(f, ed25519.SignatureSize)
		}
		return errors.Join(err, once.Take(f.Number))
	})
	if err == nil && (p.Key == nil) != (p.Signature == nil) {
		err = errors.New("a proof needs both a key and a signature")
	}
	return p, err
}

func exactly(f frame.Field, size int) ([]byte, error) {
	if len(f.Bytes) != size {
		return nil, fmt.Errorf("field %d of the proof has %d bytes, not %d", f.Number, len(f.Bytes), size)
	}
	return f.Bytes, nil
}
