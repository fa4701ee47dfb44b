//! Every family of the metrics page: its name, its type and its words. The page, the dashboard and the alert
//! rules are made of this table; a test holds them together.

/// A family of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "counter", help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "gauge", help }
}

const fn histogram(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "histogram", help }
}

/// The family of this name.
pub(super) fn find(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

/// All families.
// a table: one entry a family
pub(super) const FAMILIES: &[Family] = &[
    gauge("finstage_info", "The version that runs."),
    counter("finstage_http_requests_total", "Requests by method, route and status."),
    histogram(
        "finstage_http_request_duration_seconds",
        "Time from the head of a request to its answer.",
    ),
    gauge("finstage_websocket_clients", "Connected clients."),
    counter(
        "finstage_signals_generated_total",
        "Signals since the start, by their verdict and the hit rate that it rests on.",
    ),
    counter("finstage_alerts_total", "Alerts since the start, by what was decided."),
    counter("finstage_events_total", "Events applied by the engine, by kind."),
    histogram("finstage_trade_delay_seconds", "From a trade at the venue to its receipt here."),
    histogram(
        "finstage_analysis_duration_seconds",
        "From the receipt of what closed a bar to the signal of a strategy.",
    ),
    counter("finstage_bars_not_pushed_total", "Closed bars dropped before a push."),
    gauge("finstage_queue_depth", "Frames that wait for the engine."),
    gauge("finstage_queue_bound", "The most frames that may wait."),
    gauge("finstage_store_bytes", "Bytes on disk, by part of the store."),
    gauge("finstage_feed_up", "1 while data flows."),
    gauge("finstage_feed_age_seconds", "Since the last message of a venue."),
    counter(
        "finstage_notifications_sent_total",
        "Messages since the start, by channel and what became of them.",
    ),
    histogram(
        "finstage_notification_duration_seconds",
        "How long attempts to send a message took, by channel.",
    ),
    counter(
        "finstage_news_processed_total",
        "Items of feeds of news since the start, by feed and what they were.",
    ),
    histogram(
        "finstage_news_processing_duration_seconds",
        "How long reading and keeping what was new in an answer of a feed took.",
    ),
    gauge("finstage_notifier_up", "0 when a channel gave up for good."),
    gauge("finstage_process_memory_bytes", "Resident memory."),
    counter("finstage_process_cpu_seconds_total", "Processor time."),
    counter(
        "finstage_http_refused_connections_total",
        "Connections refused because too many were open.",
    ),
    counter("finstage_http_unauthorized_total", "Requests without a valid token or session."),
    counter("finstage_websocket_pushes_total", "Messages put into clients' mailboxes."),
    counter(
        "finstage_websocket_conflated_total",
        "Prices that a newer one replaced before a slow client took them.",
    ),
    counter(
        "finstage_websocket_dropped_clients_total",
        "Clients closed because they were too slow.",
    ),
    counter("finstage_feed_messages_total", "Messages of a venue."),
    counter("finstage_feed_events_total", "Events made of a venue's messages."),
    counter("finstage_feed_reconnects_total", "Connections after the first."),
    counter("finstage_feed_gaps_total", "Losses reported."),
    counter("finstage_feed_repaired_total", "Losses whose bars were fetched."),
    counter("finstage_feed_duplicates_total", "Things that came twice."),
    counter("finstage_feed_undecoded_total", "Messages not understood."),
    counter("finstage_feed_revisions_total", "Settled bars that changed later."),
    counter("finstage_feed_trades_filled_total", "Lost trades that were fetched."),
    counter("finstage_feed_trades_lost_total", "Lost trades that were not."),
    counter("finstage_feed_overlaps_total", "Lines replaced while they worked."),
    counter("finstage_feed_stalls_total", "Lines that went silent."),
    counter("finstage_sealed_opened_total", "Sealed frames opened."),
    counter("finstage_sealed_failed_total", "Sealed frames that were none of ours."),
    counter("finstage_sealed_replayed_total", "Sealed frames that came before."),
    counter("finstage_sealed_slow_total", "Sealed frames that took longer than 5 ms."),
    gauge("finstage_sealed_fallback", "1 while they come from the fallback."),
    counter("finstage_remote_requests_total", "Requests sent to a server."),
    counter("finstage_remote_retries_total", "Requests sent again."),
    counter("finstage_remote_refused_total", "Answers that said \"too many\"."),
    counter("finstage_remote_failed_total", "Requests without a usable answer."),
    counter("finstage_remote_breaker_opens_total", "Times that the breaker opened."),
    gauge("finstage_remote_up", "0 while the breaker lets nothing through."),
    gauge("finstage_remote_blocked", "1 while nothing is sent because the server said so."),
    gauge("finstage_remote_in_flight", "Requests that are out."),
    gauge("finstage_remote_waiting", "Requests that wait for their turn."),
    gauge("finstage_remote_longest_wait_seconds", "The longest wait for a turn."),
    gauge("finstage_quota_limit", "The most in one window."),
    gauge("finstage_quota_used", "What is used, by others with the same key too."),
    gauge("finstage_quota_used_by_others", "What others with the same key use."),
    gauge("finstage_quota_headroom", "What is left."),
    gauge("finstage_active_signals", "Signals that have outcomes to come."),
    gauge("finstage_tasks", "Tasks by state."),
    gauge(
        "finstage_db_connections_active",
        "Connections to the records that work at this moment: at most one writes and one reads.",
    ),
    counter(
        "finstage_db_operations_total",
        "Statements that the records ran, by operation, table and whether they failed.",
    ),
    histogram("finstage_db_operation_duration_seconds", "How long statements took, by operation."),
    counter(
        "finstage_db_slow_statements_total",
        "Statements that took longer than store.slow_query.",
    ),
    counter("finstage_errors_total", "Errors and warnings in the log, by component."),
    gauge("finstage_cpu_percent", "Processor time of the process: 100 is one processor."),
    gauge("finstage_machine_cpu_percent", "The process's part of all processors of the machine."),
    gauge("finstage_memory_percent", "Resident memory as a part of what the process may have."),
    gauge("finstage_memory_peak_bytes", "The most resident memory of the last day."),
    gauge(
        "finstage_memory_growth_per_day",
        "Growth of resident memory a day, as a fraction of its mean.",
    ),
    gauge("finstage_disk_used_percent", "Used part of the disk of the data folder."),
    gauge("finstage_disk_free_bytes", "Free bytes on the disk of the data folder."),
    gauge(
        "finstage_http_error_percent",
        "Answers of the last look that failed with 5xx, in percent.",
    ),
    gauge("finstage_http_response_seconds_mean", "Mean time of the answers of the last look."),
    gauge(
        "finstage_cache_hit_percent",
        "Answers of the last look that were kept from before, in percent.",
    ),
    gauge("finstage_availability_ratio", "Minutes that were ready among all minutes of a span."),
    gauge("finstage_health_check", "1 while a check of readiness holds."),
    gauge("finstage_threshold_state", "0 within a limit, 1 warning, 2 critical."),
];
