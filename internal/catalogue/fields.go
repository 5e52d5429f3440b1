package catalogue

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// fields is a payload's shape in JSON, in the order it is written in; what lies within
// an object or an array has a path: "price.amount", "seats[].row".
func fields(e eventstore.Payload) []api.EventField {
	return append([]api.EventField{}, within("", reflect.TypeOf(e))...)
}

func within(path string, t reflect.Type) []api.EventField {
	var all []api.EventField
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		one := describeField(path+name, f.Type)
		one[0].Optional = strings.Contains(options, "omit")
		all = append(all, one...)
	}
	return all
}

var (
	uuidType      = reflect.TypeFor[uuid.UUID]()
	timeType      = reflect.TypeFor[time.Time]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

// describeField is the field, and all within it.
func describeField(path string, t reflect.Type) []api.EventField {
	one := func(typ string, more ...api.EventField) []api.EventField {
		return append([]api.EventField{{Name: path, Type: typ}}, more...)
	}
	switch t {
	case uuidType:
		return one("string (uuid)")
	case timeType:
		return one("string (date-time)")
	}
	switch {
	case t.Kind() == reflect.Pointer:
		inner := describeField(path, t.Elem())
		inner[0].Type += " or null"
		return inner
	case t.Implements(jsonMarshaler):
		return one("any (" + t.String() + ")")
	case t.Implements(textMarshaler), t.Kind() == reflect.String:
		return one("string")
	case t.Kind() == reflect.Struct:
		return one("object", within(path+".", t)...)
	}
	return one(kindOf(t), elements(path, t)...)
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string (base64)"
		}
		return "array"
	case reflect.Map:
		return "object"
	case reflect.Interface:
		return "any"
	}
	return "integer"
}

// elements are those of an array or a map.
func elements(path string, t reflect.Type) []api.EventField {
	switch kindOf(t) {
	case "array":
		return describeField(path+"[]", t.Elem())
	case "object":
		return describeField(path+".*", t.Elem())
	}
	return nil
}
