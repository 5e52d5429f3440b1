package api

import (
	"slices"
	"strconv"
	"strings"
)

// ETag is the entity tag of a version: `"7"`, and from a projection's second
// revision on `"7.2"`, since the same version may then look different.
func ETag(version uint64, revision int) string {
	if revision < 2 {
		return `"` + strconv.FormatUint(version, 10) + `"`
	}
	return `"` + strconv.FormatUint(version, 10) + "." + strconv.Itoa(revision) + `"`
}

// ETags is a parsed If-Match or If-None-Match (RFC 9110, section 13.1).
type ETags struct {
	any  bool
	tags []etag
}

type etag struct {
	weak   bool
	quoted string
}

// ParseETags reads `*` or a list of entity tags. The error is a *MalformedError.
func ParseETags(header string) (ETags, error) {
	rest := strings.Trim(header, " \t")
	if rest == "*" {
		return ETags{any: true}, nil
	}
	var list ETags
	for rest != "" {
		tag, after, ok := cutETag(rest)
		if !ok {
			return ETags{}, Malformed(`an entity tag is missing or is not in quotes; write "7", several separated by commas, or *`)
		}
		list.tags = append(list.tags, tag)
		rest = strings.TrimLeft(after, " \t")
		if rest != "" && rest[0] != ',' {
			return ETags{}, Malformed("entity tags must be separated by commas")
		}
		rest = strings.TrimLeft(rest, ", \t")
	}
	if len(list.tags) == 0 {
		return ETags{}, Malformed("the header names no entity tag")
	}
	return list, nil
}

func cutETag(s string) (tag etag, rest string, ok bool) {
	s, tag.weak = strings.CutPrefix(s, "W/")
	if !strings.HasPrefix(s, `"`) {
		return etag{}, "", false
	}
	end := strings.IndexByte(s[1:], '"') + 2
	if end < 2 || strings.ContainsFunc(s[1:end-1], func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return etag{}, "", false
	}
	tag.quoted = s[:end]
	return tag, s[end:], true
}

// Match compares weakly, as If-None-Match wants it.
func (l ETags) Match(tag string) bool {
	return l.any || slices.ContainsFunc(l.tags, func(t etag) bool { return t.quoted == tag })
}

// Versions is what If-Match allows, by the strong comparison: any version at all,
// or those listed. Weak tags, and tags that are no version, allow none.
func (l ETags) Versions() (versions []uint64, anyVersion bool) {
	for _, t := range l.tags {
		number, _, _ := strings.Cut(strings.Trim(t.quoted, `"`), ".")
		if v, err := strconv.ParseUint(number, 10, 63); err == nil && !t.weak {
			versions = append(versions, v)
		}
	}
	return versions, l.any
}
