//! A test on a screen: one function from its status to what is drawn.

use finstage_lab::stress::Language;
use finstage_lab::stress::figures::{count, maybe_time, moment, percent, rate};
use finstage_lab::stress::status::{Second, Status};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Sparkline};

/// Whether the screen goes on changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Live,
    Paused,
}

const QUIET: Style = Style::new().fg(Color::DarkGray);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const WARN: Style = Style::new().fg(Color::Yellow);

/// Draws the status; small screens lose what is below.
pub(super) fn draw(frame: &mut Frame<'_>, status: &Status, view: View, language: Language) {
    let screen = Screen { status, view, language };
    let [head, progress, figures, times, rates, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(9),
        Constraint::Min(4),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(screen.head(), head);
    screen.progress(frame, progress);
    let [load, latency] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(figures);
    frame.render_widget(screen.load(), load);
    frame.render_widget(screen.latency(), latency);
    screen.times(frame, times);
    screen.rates(frame, rates);
    frame.render_widget(screen.foot(), foot);
}

struct Screen<'a> {
    status: &'a Status,
    view: View,
    language: Language,
}

impl Screen<'_> {
    fn say(&self, english: &'static str, korean: &'static str) -> &'static str {
        self.language.pick(english, korean)
    }

    fn head(&self) -> Line<'_> {
        let target: String = self.status.target.chars().filter(|c| !c.is_control()).collect();
        let mut spans = vec![Span::styled("finstage stress  ", STRONG), Span::raw(target)];
        if self.view == View::Paused {
            spans.push(Span::styled(self.say("  view paused", "  화면 멈춤"), WARN));
        }
        if self.status.is_over {
            spans.push(Span::styled(self.say("  ended", "  끝남"), WARN));
        }
        Line::from(spans)
    }

    fn progress(&self, frame: &mut Frame<'_>, area: Rect) {
        let s = self.status;
        match s.planned_s.filter(|planned| *planned > 0.0) {
            None => frame.render_widget(Line::styled(moment(s.elapsed_s), QUIET), area),
            Some(planned) => {
                let label = format!("{} / {}", moment(s.elapsed_s.min(planned)), moment(planned));
                let ratio = (s.elapsed_s / planned).clamp(0.0, 1.0);
                let gauge = Gauge::default().ratio(ratio).label(label);
                frame.render_widget(gauge.gauge_style(Style::new().fg(Color::Blue)), area);
            }
        }
    }

    fn load(&self) -> Paragraph<'_> {
        let s = self.status;
        let [due, ok] = s.now();
        let part = |part: u64| {
            format!(
                "{} ({})",
                count(part),
                percent(part as f64 / s.sent.max(1) as f64, self.language)
            )
        };
        let alarm = |bad: u64| if bad > 0 { BAD } else { Style::new() };
        let per_second = self.say("/s", "/초");
        let mut lines = match s.up_share {
            Some(up) => vec![
                row(
                    self.say("last answer", "마지막 응답"),
                    s.last.clone().unwrap_or_else(|| "–".into()),
                    Style::new(),
                ),
                row(
                    self.say("up, last minute", "정상, 최근 1분"),
                    percent(up, self.language),
                    if up < 1.0 { BAD } else { GOOD },
                ),
            ],
            None => vec![
                row(self.say("due", "예정"), format!("{}{per_second}", rate(due)), Style::new()),
                row(self.say("good", "성공"), format!("{}{per_second}", rate(ok)), GOOD),
                row(self.say("under way", "진행 중"), count(s.in_flight), Style::new()),
            ],
        };
        lines.extend([
            row(self.say("sent", "전체 요청"), count(s.sent), Style::new()),
            row(self.say("failed", "실패"), part(s.failed), alarm(s.failed)),
            row(self.say("rate limited", "속도 제한"), part(s.rate_limited), alarm(s.rate_limited)),
            row(self.say("never left", "보내지 못함"), count(s.shed), alarm(s.shed)),
        ]);
        Paragraph::new(lines).block(Block::bordered().title(self.say(" Load ", " 부하 ")))
    }

    fn latency(&self) -> Paragraph<'_> {
        let (all, minute) = (&self.status.latency, &self.status.minute);
        let pair = |name: &'static str, a: Option<f64>, b: Option<f64>| {
            Line::from(vec![
                Span::styled(format!(" {name:<6}"), QUIET),
                Span::styled(format!("{:>12}", maybe_time(a)), STRONG),
                Span::raw(format!("{:>12}", maybe_time(b))),
            ])
        };
        let head = match self.language {
            Language::English => format!(" {:<6}{:>12}{:>12}", "", "all", "last minute"),
            // Letters of two columns.
            Language::Korean => format!(" {:<6}{:>10}{:>9}", "", "전체", "최근 1분"),
        };
        let lines = vec![
            Line::styled(head, QUIET),
            pair("p50", all.p50_ms, minute.p50_ms),
            pair("p90", all.p90_ms, minute.p90_ms),
            pair("p95", all.p95_ms, minute.p95_ms),
            pair("p99", all.p99_ms, minute.p99_ms),
            pair("p99.9", all.p999_ms, minute.p999_ms),
            pair("max", all.max_ms, minute.max_ms),
        ];
        Paragraph::new(lines).block(
            Block::bordered().title(self.say(" Latency, since due ", " 지연 시간, 예정 시각부터 ")),
        )
    }

    fn times(&self, frame: &mut Frame<'_>, area: Rect) {
        let seconds = self.visible(area);
        let micros = |s: &Second| s.p99_ms.map_or(0, |ms| (1000.0 * ms) as u64);
        let most = seconds.iter().filter_map(|s| s.p99_ms).fold(0.0, f64::max);
        let title = format!(
            " p99, {} {} ",
            self.say("up to", "최대"),
            maybe_time((most > 0.0).then_some(most))
        );
        let bars = Sparkline::default()
            .data(seconds.iter().map(micros))
            .style(Style::new().fg(Color::Magenta));
        frame.render_widget(bars.block(Block::bordered().title(title)), area);
    }

    fn rates(&self, frame: &mut Frame<'_>, area: Rect) {
        let seconds = self.visible(area);
        let per_second = |s: &Second| s.ok as f64 / s.length_s.max(1e-9);
        let most = seconds.iter().map(per_second).fold(0.0, f64::max);
        let title = format!(
            " {}, {} {}{} ",
            self.say("good answers", "성공"),
            self.say("up to", "최대"),
            rate(most),
            self.say("/s", "/초")
        );
        let bars = Sparkline::default()
            .data(seconds.iter().map(|s| per_second(s).round() as u64))
            .style(GOOD);
        frame.render_widget(bars.block(Block::bordered().title(title)), area);
    }

    /// The newest seconds that there are columns for.
    fn visible(&self, area: Rect) -> &[Second] {
        let recent = &self.status.recent;
        &recent[recent.len().saturating_sub(area.width.saturating_sub(2) as usize)..]
    }

    fn foot(&self) -> Line<'_> {
        let keys = self.say("q stop and report   p pause the view", "q 멈추고 보고   p 화면 멈춤");
        let (bound, all) = (self.status.bound_seconds, self.status.seconds);
        let health = match (self.status.up_share, bound) {
            (Some(_), _) => Span::raw(""),
            (None, 0) => Span::styled(
                self.say("   this machine keeps up", "   이 컴퓨터는 여유가 있습니다"),
                QUIET,
            ),
            (None, _) => {
                let words = self.say(
                    "   seconds in which this machine was the limit:",
                    "   이 컴퓨터가 한계였던 시간(초):",
                );
                Span::styled(format!("{words} {bound}/{all}"), WARN)
            }
        };
        Line::from(vec![Span::styled(keys, QUIET), health])
    }
}

fn row(name: &'static str, value: String, style: Style) -> Line<'static> {
    let space = " ".repeat(18_usize.saturating_sub(Span::raw(name).width()));
    Line::from(vec![Span::styled(format!(" {name}{space}"), QUIET), Span::styled(value, style)])
}

#[cfg(test)]
mod tests {
    use finstage_lab::stress::Percentiles;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn status() -> Status {
        let second = |at: u32| Second {
            at_s: f64::from(at),
            length_s: 1.0,
            due: 200,
            ok: 190,
            failed: 10,
            p50_ms: Some(5.0),
            p99_ms: Some(f64::from(10 + at % 7)),
            is_bound: at == 3,
        };
        let latency = Percentiles {
            count: 6000,
            p50_ms: Some(5.0),
            p99_ms: Some(16.0),
            ..Percentiles::default()
        };
        Status {
            target: "http://127.0.0.1:1/\u{1b}[2J".into(),
            elapsed_s: 30.0,
            planned_s: Some(60.0),
            in_flight: 3,
            sent: 6_000,
            ok: 5_700,
            failed: 300,
            rate_limited: 120,
            minute: latency.clone(),
            latency,
            seconds: 30,
            bound_seconds: 1,
            recent: (0..30).map(second).collect(),
            ..Status::default()
        }
    }

    fn drawn(status: &Status, view: View, (wide, high): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(wide, high)).unwrap();
        terminal.draw(|frame| draw(frame, status, view, Language::English)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_has_load_latency_and_keys() {
        let screen = drawn(&status(), View::Paused, (100, 30));
        for part in [
            "http://127.0.0.1:1/",
            "view paused",
            "30.0 s / 60.0 s",
            "200/s",
            "190/s",
            "6,000",
            "300 (5.0 %)",
            "120 (2.0 %)",
            "16.0 ms",
            "p99, up to 16.0 ms",
            "this machine was the limit: 1/30",
            "q stop and report",
        ] {
            assert!(screen.contains(part), "{part} in\n{screen}");
        }
        assert!(!screen.contains('\u{1b}') && screen.contains('█'));
    }

    #[test]
    fn a_monitor_shows_how_often_it_was_up() {
        let status =
            Status { up_share: Some(0.9), last: Some("503".into()), planned_s: None, ..status() };
        let screen = drawn(&status, View::Live, (100, 30));
        assert!(
            screen.contains("90.0 %") && screen.contains("503") && !screen.contains("keeps up"),
            "{screen}"
        );
    }

    #[test]
    fn nothing_yet_and_small_screens_are_drawn_too() {
        for size in [(1, 1), (20, 5), (40, 10), (80, 24), (300, 100)] {
            drawn(&Status::default(), View::Live, size);
            assert!(!drawn(&status(), View::Live, size).contains("NaN"));
        }
    }
}
