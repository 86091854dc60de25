package configs

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
)

// LogLevel is log.level for a logger; info when it is none of the four.
func (c Config) LogLevel() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(c.Log.Level)) != nil {
		return slog.LevelInfo
	}
	return l
}

var notInSite = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// SiteName is site, else the host name with what a site may not hold made
// into hyphens, else "modemgate".
func (c Config) SiteName() string {
	if c.Site != "" {
		return c.Site
	}
	host, _ := os.Hostname() // an unknown name is an empty one
	return siteOf(host)
}

func siteOf(host string) string {
	s := notInSite.ReplaceAllString(host, "-")
	s = strings.Trim(s[:min(len(s), 64)], "._-")
	if !siteName.MatchString(s) {
		return "modemgate"
	}
	return s
}
