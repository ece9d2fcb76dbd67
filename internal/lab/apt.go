package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// An aptSource is where this machine may get Debian packages from, and how it
// knows that they are Debian's.
type aptSource struct {
	keyring      string
	mirror       string
	architecture string
}

// A MissingError says that a program is neither installed nor can be fetched
// here, and what to do about it.
type MissingError struct {
	Reason string // why it can not be fetched
	Remedy string // what to install
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("not installed, and can not be fetched: %s; %s", e.Reason, e.Remedy)
}

// findApt reports how packages can be had. BATON_LAB_DEBIAN names a mirror.
func findApt(set packageSet) (aptSource, error) {
	missing := func(reason string) (aptSource, error) {
		return aptSource{}, &MissingError{Reason: reason, Remedy: remedy(set)}
	}
	if runtime.GOOS != "linux" {
		return missing("packages are fetched on Linux only")
	}
	for _, tool := range []string{"apt-get", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return missing("there is no " + tool)
		}
	}
	source := aptSource{mirror: os.Getenv("BATON_LAB_DEBIAN")}
	if source.mirror == "" {
		source.mirror = "http://deb.debian.org/debian"
	}
	for _, path := range []string{
		"/usr/share/keyrings/debian-archive-keyring.gpg",
		"/usr/share/keyrings/debian-archive-keyring.pgp",
	} {
		if _, err := os.Stat(path); err == nil {
			source.keyring = path
		}
	}
	if source.keyring == "" {
		return aptSource{}, &MissingError{
			Reason: "the keys of Debian are missing",
			Remedy: "apt-get install debian-archive-keyring, or " + remedy(set),
		}
	}
	out, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		return missing("dpkg does not tell the architecture")
	}
	source.architecture = strings.TrimSpace(string(out))
	return source, nil
}

// remedy names what a package manager of this machine would install.
func remedy(set packageSet) string {
	return installCommand(set.name, runtime.GOOS, readFile("/etc/os-release"))
}

func installCommand(name, goos, osRelease string) string {
	commands := map[string][4]string{
		//            macOS, Fedora, Debian and Ubuntu, variables
		"mysql":      {"brew install mysql", "dnf install mysql-server", "apt-get install mysql-server-core", "BATON_LAB_MYSQLD"},
		"mariadb":    {"brew install mariadb", "dnf install mariadb-server", "apt-get install mariadb-server-core", "BATON_LAB_MARIADBD"},
		"prometheus": {"brew install prometheus alertmanager", "dnf install golang-github-prometheus golang-github-prometheus-alertmanager", "apt-get install prometheus prometheus-alertmanager", "BATON_LAB_PROMETHEUS, BATON_LAB_PROMTOOL and BATON_LAB_ALERTMANAGER"},
	}
	c := commands[name]
	point := "set " + c[3] + " to an installed one"
	switch {
	case goos == "darwin":
		return c[0] + ", or " + point
	case hasWord(osRelease, "fedora"), hasWord(osRelease, "rhel"):
		return c[1] + ", or " + point
	case hasWord(osRelease, "debian"), hasWord(osRelease, "ubuntu"):
		return c[2] + ", or " + point
	}
	return "install " + name + " and put it on PATH, or " + point
}

// hasWord reports whether ID or ID_LIKE of an os-release file names id.
func hasWord(osRelease, id string) bool {
	for line := range strings.Lines(osRelease) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		if slices.Contains(strings.Fields(strings.Trim(value, `"'`)), id) {
			return true
		}
	}
	return false
}

func readFile(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
