package validators

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/weftnet/weft/adapters/regular"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid configuration of a watched list")

// Config says what to watch. Start from DefaultConfig.
type Config struct {
	Path string
	Form Form
	// Changed is called with every new set after the first one, one call at a
	// time, from the watcher's goroutine; it must not call Close. It may be nil.
	Changed func(Set)
	// Every is how often the file is looked at.
	Every time.Duration
	// Logger takes changes and errors; nil discards.
	Logger *slog.Logger
}

// DefaultConfig looks at a file every second: chosen as a person who has edited it
// waits no longer, at one stat a second.
func DefaultConfig() Config { return Config{Every: time.Second} }

// Validate names the first setting that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Path == "":
		return fmt.Errorf("%w: no file is named", ErrConfig)
	case c.Form > Members:
		return fmt.Errorf("%w: form %d: use Validators or Members", ErrConfig, c.Form)
	case c.Every <= 0:
		return fmt.Errorf("%w: Every = %s: use a positive duration", ErrConfig, c.Every)
	}
	return nil
}

// Watcher keeps the set of a file up to date until it is closed.
type Watcher struct {
	cfg   Config
	close sync.Once
	done  chan struct{}
	gone  sync.WaitGroup

	// What the goroutine knows of the file.
	seen    os.FileInfo       // at the last look; nil if there was none
	settled bool              // the file seen has been read
	sum     [sha256.Size]byte // of the last content read
	verdict error             // on that content

	mu  sync.RWMutex
	set Set
	err error
}

// Watch reads a file and watches it from then on. A file that cannot be read at
// the start is an error, as there is no set to go on with.
func Watch(cfg Config) (*Watcher, error) {
	w, err := open(cfg)
	if err == nil {
		w.gone.Go(w.run)
	}
	return w, err
}

func open(cfg Config) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	set, err := cfg.Form.Load(cfg.Path) // not settled: somebody may be writing
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", cfg.Form, err)
	}
	w := &Watcher{cfg: cfg, done: make(chan struct{}), set: set}
	w.warnOfNobody(set)
	return w, nil
}

// warnOfNobody: an empty list is in force like any other, and seldom what is meant.
func (w *Watcher) warnOfNobody(set Set) {
	if set.Len() == 0 {
		w.cfg.Logger.Warn("the file of "+w.cfg.Form.String()+" names nobody: add a line for each", "file", w.cfg.Path)
	}
}

// Load reads a file once.
func (f Form) Load(path string) (Set, error) {
	text, err := regular.ReadFile(path, MaxFile)
	if err != nil {
		return Set{}, err
	}
	return f.parse(path, text)
}

func (f Form) parse(path string, text []byte) (Set, error) {
	set, err := f.Parse(text)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

// Set is the last good set.
func (w *Watcher) Set() Set {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.set
}

// Err is why the file's present content is not in force; nil when it is.
func (w *Watcher) Err() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.err
}

// Close ends the watching and waits for a call of Changed that is under way. It
// may be called more than once.
func (w *Watcher) Close() error {
	w.close.Do(func() { close(w.done) })
	w.gone.Wait()
	return nil
}

func (w *Watcher) run() {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			w.look()
		}
	}
}

// look reads the file once it has changed and then stayed the same for a while,
// which is also longer than the grain of file times: no later change can hide.
func (w *Watcher) look() {
	info, err := os.Stat(w.cfg.Path)
	if err != nil {
		w.seen = nil
		w.fail(err)
		return
	}
	if !same(w.seen, info) {
		w.seen, w.settled = info, false
		return
	}
	if w.settled {
		return
	}
	text, err := regular.ReadFile(w.cfg.Path, MaxFile)
	if err != nil { // it may become readable without a change that shows
		w.fail(err)
		return
	}
	w.settled = true
	w.take(text)
}

func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// take puts a content in force, if it is a good one.
func (w *Watcher) take(text []byte) {
	sum := sha256.Sum256(text)
	if sum == w.sum {
		if w.verdict == nil {
			w.mend()
		}
		w.setErr(w.verdict)
		return
	}
	set, err := w.cfg.Form.parse(w.cfg.Path, text)
	w.sum, w.verdict = sum, w.explain(err)
	if err != nil {
		w.report(w.verdict)
		return
	}
	w.mend()
	if !set.Equal(w.Set()) {
		w.change(set)
	}
}

// mend says that the file is good again.
func (w *Watcher) mend() {
	if w.Err() != nil {
		w.cfg.Logger.Info("the file of "+w.cfg.Form.String()+" can be used again", "file", w.cfg.Path)
	}
	w.setErr(nil)
}

func (w *Watcher) change(set Set) {
	w.mu.Lock()
	w.set = set
	w.mu.Unlock()
	w.cfg.Logger.Info("the file of "+w.cfg.Form.String()+" has changed", "file", w.cfg.Path, "peers", len(set.Peers), "keys", len(set.Keys))
	w.warnOfNobody(set)
	if w.cfg.Changed != nil {
		w.cfg.Changed(set)
	}
}

func (w *Watcher) setErr(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// fail keeps the last set in force and says why, unless it was said before.
func (w *Watcher) fail(err error) {
	err = w.explain(err)
	if before := w.Err(); before == nil || before.Error() != err.Error() {
		w.report(err)
	}
}

func (w *Watcher) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; what the file of %s said before stays in force", err, w.cfg.Form)
}

func (w *Watcher) report(err error) {
	w.setErr(err)
	w.cfg.Logger.Error("the file of "+w.cfg.Form.String()+" cannot be used", "file", w.cfg.Path, "err", err)
}
