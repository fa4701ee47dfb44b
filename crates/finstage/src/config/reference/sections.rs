//! The sections of the file, in its order.

/// What a section is for, in the order of the file.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("store", "where things are kept"),
    ("journal", "the log of everything that happened"),
    ("retention", "how long what was said is kept"),
    ("alerts", "what is sent, and how often"),
    ("display", "how people read it"),
    ("report", "the daily report, which comes even when nothing was sent"),
    ("server", "REST, WebSocket and the dashboard"),
    ("log", "where the log of `finstage serve` goes"),
    ("monitor", "limits of the service itself: beyond 1.2 times a limit it is critical"),
    ("stats", "figures of the service as files"),
    ("venues.*", "other addresses for a venue: a mirror, or the simulator; keys of an account"),
    (
        "venues.*.sealed",
        "a venue's stream from a server that seals it (docs/guides/sealed-feeds.md); requests stay as they are",
    ),
    ("feeds[]", "what is watched; at least one for `finstage serve`"),
    ("strategies[]", "what makes signals"),
    ("watches[]", "alerts on the price alone"),
    (
        "watch.categories.*",
        "from which change on watches speak that name none, by category: index, stock, etf, future",
    ),
    ("watch.symbols.*", "the same for one instrument, before its category"),
    ("notify[]", "where alerts go; to the log where none is named"),
    ("llm", "language models: for `finstage llm`, the gateway, and words beside alerts"),
    (
        "jobs.*",
        "when a job runs, instead of as usual: outcomes hourly compact retention backfill verify replay_check; report goes by report.daily (`finstage schedule list`)",
    ),
    ("news", "headlines about what is watched, and how they sound (docs/guides/news.md)"),
    ("gateway", "one local address for programs in any language (docs/guides/gateway.md)"),
    ("gateway.clients[]", "who may use it; anybody on this machine where none is named"),
];
