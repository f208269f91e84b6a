package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

func objectTopicSetting() settings.Setting {
	return settings.Setting{
		Key: "object_topic", Kind: settings.List, Default: []string(nil), Spaced: true, Group: headTopics, Check: checkObjectTopics,
		Usage: "`NAME[,OPTION]...` of a topic of objects; options: class=gossip|infect|broadcast, authors=anyone|validators|@FILE, " +
			"keep=OBJECTS, keep-bytes=SIZE, keep-age=TIME, external (may be repeated)",
	}
}

// topicSpec is an object topic as the setting says it.
type topicSpec struct {
	node.ObjectTopic
	authorsFile string
}

// topicOptions read what follows a topic's name.
var topicOptions = map[string]func(*topicSpec, string) error{
	"class":   func(t *topicSpec, v string) error { t.Class = v; return nil }, // the node checks it
	"authors": (*topicSpec).setAuthors,
	"keep": func(t *topicSpec, v string) (err error) {
		if t.KeepObjects, err = strconv.Atoi(v); err != nil || t.KeepObjects < 1 {
			return fmt.Errorf("%q is not a number of objects, 1 or more", v)
		}
		return nil
	},
	"keep-bytes": func(t *topicSpec, v string) error {
		n, err := settings.Size.Parse(v)
		if err == nil && n.(uint64) == 0 {
			err = fmt.Errorf("%q keeps nothing", v)
		}
		if err == nil {
			t.KeepBytes = int64(n.(uint64)) // below 2^62
		}
		return err
	},
	"keep-age": func(t *topicSpec, v string) error {
		d, err := settings.Period.Parse(v)
		if err == nil && d.(time.Duration) <= 0 {
			err = fmt.Errorf("%q keeps nothing", v)
		}
		if err == nil {
			t.KeepAge = d.(time.Duration)
		}
		return err
	},
	"external": func(t *topicSpec, v string) error {
		if v != "" {
			return fmt.Errorf("it takes no value")
		}
		t.External = true
		return nil
	},
}

func (t *topicSpec) setAuthors(v string) error {
	if file, isFile := strings.CutPrefix(v, "@"); isFile {
		t.Authors, t.authorsFile = "listed", file
		return nil
	}
	if v != "anyone" && v != "validators" {
		return fmt.Errorf("%q is not one of anyone, validators, @FILE", v)
	}
	t.Authors = v
	return nil
}

func parseObjectTopic(s string) (t topicSpec, err error) {
	parts := strings.Split(s, ",")
	t.Name = parts[0]
	for _, part := range parts[1:] {
		option, value, _ := strings.Cut(part, "=")
		set, known := topicOptions[option]
		if !known {
			return t, unknownOption(option)
		}
		if err := set(&t, value); err != nil {
			return t, fmt.Errorf("topic %q: %s: %w", t.Name, option, err)
		}
	}
	return t, nil
}

func unknownOption(option string) error {
	var known []string
	for name := range topicOptions {
		known = append(known, name)
	}
	slices.Sort(known)
	if near := settings.Nearest(option, known); near != "" {
		return fmt.Errorf("a topic has no option %q; did you mean %s?", option, near)
	}
	return fmt.Errorf("a topic has no option %q; there are %s", option, strings.Join(known, ", "))
}

// checkObjectTopics checks all but the files of authors, by the node's own rules.
func checkObjectTopics(v any) error {
	cfg := node.DefaultConfig()
	for _, s := range v.([]string) {
		t, err := parseObjectTopic(s)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(cfg.ObjectTopics, func(o node.ObjectTopic) bool { return o.Name == t.Name }) {
			return fmt.Errorf("the topic %q is there twice; name it once", t.Name)
		}
		if t.authorsFile != "" {
			t.Authors = ""
		}
		cfg.ObjectTopics = append(cfg.ObjectTopics, t.ObjectTopic)
	}
	return bare(cfg.Validate())
}

// objectTopics are the object topics of the settings, with the authors of their files.
func (a *app) objectTopics() (topics []node.ObjectTopic, err error) {
	for _, s := range a.values.List("object_topic") {
		t, err := parseObjectTopic(s)
		switch {
		case err != nil:
			return nil, a.values.Error("object_topic", err.Error())
		case slices.Contains(a.values.List("topic"), t.Name):
			return nil, a.values.Error("object_topic", fmt.Sprintf("%q is a topic of messages, too (%s); give one of them another name", t.Name, a.values.Origin("topic")))
		}
		if t.authorsFile != "" {
			authors, err := validators.Validators.Load(t.authorsFile)
			switch {
			case err != nil:
				return nil, a.values.Error("object_topic", explained(err))
			case authors.Len() == 0:
				return nil, a.values.Error("object_topic", fmt.Sprintf("%s names nobody; write the peer ID of an author, or ed25519:HEX, on each line", t.authorsFile))
			}
			t.AuthorKeys = node.AuthorKeys(authors)
		}
		topics = append(topics, t.ObjectTopic)
	}
	return topics, nil
}
