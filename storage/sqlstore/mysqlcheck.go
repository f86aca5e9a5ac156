package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A mysqlRule is what one variable of MySQL or MariaDB has to be.
type mysqlRule struct {
	// names are the variable's names: MySQL and MariaDB differ. A server that has
	// none of them, such as another version, passes.
	names []string

	suits func(value string, all map[string]string) bool

	// why is the rest of the sentence "sqlstore: NAME is VALUE: ...".
	why string

	// loss marks what Options.AllowDataLoss accepts.
	loss bool
}

// mysqlRules are judged in this order. The variables are those of the session: a
// DSN may set them, and the server does where the DSN does not.
var mysqlRules = []mysqlRule{
	{
		names: []string{"read_only", "super_read_only", "innodb_read_only"},
		suits: off,
		why:   "it is read-only, as a replica is; connect to the primary",
	},
	{
		names: []string{"transaction_read_only", "tx_read_only"},
		suits: off,
		why:   "no transaction could write; make it OFF",
	},
	{
		names: []string{"autocommit"},
		suits: on,
		why:   "a write would be undone when its connection closes, although it succeeded; make it ON",
	},
	{
		// CHAIN begins a transaction after each COMMIT, which nothing commits.
		names: []string{"completion_type"},
		suits: oneOf("NO_CHAIN", "0"),
		why:   "a write after a COMMIT would not be committed; make it NO_CHAIN",
	},
	{
		names: []string{"transaction_isolation", "tx_isolation"},
		suits: oneOf("READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"),
		why:   "a token could be seen whose write is undone later; make it READ-COMMITTED or higher",
	},
	{
		names: []string{"sql_mode"},
		suits: func(value string, _ map[string]string) bool {
			return strings.Contains(value, "STRICT_TRANS_TABLES") || strings.Contains(value, "STRICT_ALL_TABLES")
		},
		why: "values could be changed without an error; add STRICT_TRANS_TABLES",
	},
	{
		names: []string{"binlog_format"},
		suits: func(value string, all map[string]string) bool {
			return !on(all["log_bin"], all) || value != "STATEMENT"
		},
		why: "it cannot replicate transactions at READ COMMITTED; make it ROW or MIXED",
	},
	{
		names: []string{"max_allowed_packet"},
		suits: func(value string, _ map[string]string) bool {
			n, err := strconv.ParseInt(value, 10, 64)
			return err == nil && n >= 4<<20
		},
		why: "a record needs 4 MiB",
	},
	{
		// InnoDB may then take a key twice, or write without what undoes it.
		names: []string{"unique_checks"},
		suits: on,
		why:   "a key could be stored twice; make it ON",
	},
	{
		names: []string{"innodb_flush_log_at_trx_commit"},
		suits: oneOf("1"),
		why:   "needs to be 1: a used code could become fresh again",
		loss:  true,
	},
	{
		// After a power cut InnoDB undoes transactions that the binary log lacks.
		names: []string{"sync_binlog"},
		suits: func(value string, all map[string]string) bool {
			return !on(all["log_bin"], all) || value == "1"
		},
		why:  "needs to be 1, with a binary log: a used code could become fresh again",
		loss: true,
	},
	{
		names: []string{"sql_log_bin"},
		suits: func(value string, all map[string]string) bool {
			return !on(all["log_bin"], all) || on(value, all)
		},
		why:  "a promoted replica, or a restored log, would lack the writes; make it ON",
		loss: true,
	},
	{
		names: []string{"innodb_flush_method"},
		suits: func(value string, _ map[string]string) bool {
			return value != "NOSYNC" && value != "LITTLESYNC"
		},
		why:  "a power cut could make a used code fresh again; make it O_DIRECT or FSYNC",
		loss: true,
	},
	{
		names: []string{"innodb_force_recovery"},
		suits: oneOf("0"),
		why:   "damaged pages would be left out without an error; make it 0",
		loss:  true,
	},
	{
		names: []string{"innodb_doublewrite"},
		suits: func(value string, _ map[string]string) bool {
			return !slices.Contains([]string{"OFF", "0", "DETECT_ONLY"}, value)
		},
		why:  "a power cut could damage the tables; make it ON",
		loss: true,
	},
}

func on(value string, _ map[string]string) bool { return value == "ON" || value == "1" }

// off reports whether a switch is off. NO_LOCK and the like of MariaDB are on.
func off(value string, _ map[string]string) bool { return value == "OFF" || value == "0" }

func oneOf(values ...string) func(string, map[string]string) bool {
	return func(value string, _ map[string]string) bool { return slices.Contains(values, value) }
}

// leastSelectLimit is far above the number of rows that a query of this package
// reads. The default is the largest number.
const leastSelectLimit = 1 << 31

// checkMySQL refuses a replica, whose reads are late, settings that lose
// acknowledged writes, and ones that a record or a transaction would fail with.
func checkMySQL(ctx context.Context, db *sql.DB, allowLoss bool) error {
	// This one would cut the answer of the query below too.
	var limit uint64
	if err := db.QueryRowContext(ctx, "SELECT @@sql_select_limit").Scan(&limit); err != nil {
		return fmt.Errorf("sqlstore: asking MySQL for its settings: %w", err)
	}
	if limit < leastSelectLimit {
		return fmt.Errorf("sqlstore: sql_select_limit is %d: a listing would leave out records; make it DEFAULT", limit)
	}

	// A variable that the server does not have would be an error of SELECT @@name.
	names := []string{"'log_bin'"}
	for _, rule := range mysqlRules {
		for _, name := range rule.names {
			names = append(names, "'"+name+"'")
		}
	}
	rows, err := db.QueryContext(ctx, "SHOW SESSION VARIABLES WHERE Variable_name IN ("+strings.Join(names, ", ")+")")
	if err != nil {
		return fmt.Errorf("sqlstore: asking MySQL for its settings: %w", err)
	}
	defer rows.Close()

	have := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return fmt.Errorf("sqlstore: asking MySQL for its settings: %w", err)
		}
		have[strings.ToLower(name)] = strings.ToUpper(value)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("sqlstore: asking MySQL for its settings: %w", err)
	}
	// Every version has it, so an answer without it is not the settings.
	if _, ok := have["autocommit"]; !ok {
		return errors.New("sqlstore: MySQL does not show its settings")
	}
	return judgeMySQL(have, allowLoss)
}

// judgeMySQL returns the first rule that the settings break.
func judgeMySQL(have map[string]string, allowLoss bool) error {
	for _, rule := range mysqlRules {
		if rule.loss && allowLoss {
			continue
		}
		for _, name := range rule.names {
			value, ok := have[name]
			if !ok || rule.suits(value, have) {
				continue
			}
			hint := ""
			if rule.loss {
				hint = " (see Options.AllowDataLoss)"
			}
			return fmt.Errorf("sqlstore: %s is %s: %s%s", name, value[:min(len(value), 200)], rule.why, hint)
		}
	}
	return nil
}
