package analysis

import "testing"

func TestTableIsValid(t *testing.T) {
	if err := Validate(Table); err != nil {
		t.Error(err)
	}
}
