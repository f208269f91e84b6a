package main

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

func TestAStreamEndsWhenNobodyReadsItAnyMore(t *testing.T) {
	api, _ := oneNode(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	code := make(chan int, 1)
	stderr := new(safeBuffer)
	go func() {
		a := &app{stdin: strings.NewReader(""), stdout: w, stderr: stderr, environ: []string{"HOME=" + t.TempDir()}}
		code <- a.main(t.Context(), []string{"events", "--after", "0", "--api", api})
	}()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil { // as head -1 does
		t.Fatal(err)
	}
	r.Close()
	if got := <-code; got != exitOK || stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", got, stderr)
	}
}
