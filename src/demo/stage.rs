//! What the acts of the demo share: the processes, what is known of them, and the screen.

use std::cell::RefCell;
use std::io::Stdout;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::error::Error;
use super::events::{self, Events};
use super::fleet::{Fleet, Map, Place};
use super::scene::Scene;
use super::screen::Screen;
use super::text::{Line, Tone, millis};
use super::writer::{self, Ledger};
use super::{timeline, watch};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);
/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// Columns of the progress bar.
const BAR: usize = 12;

/// What is under way, for the progress line.
#[derive(Clone, Debug)]
struct Step {
    number: usize,
    of: usize,
    text: String,
    since: Instant,
}

/// The stage. Clones of the shared parts run in tasks of the same thread.
pub(super) struct Stage<'a> {
    /// The processes.
    pub(super) fleet: &'a mut Fleet,
    /// Where they are.
    pub(super) map: Map,
    /// What they say of themselves.
    pub(super) scene: Rc<RefCell<Scene>>,
    /// What the daemons publish.
    pub(super) events: Rc<RefCell<Events>>,
    /// What the writer got acknowledged.
    pub(super) ledger: Rc<RefCell<Ledger>>,
    screen: Rc<RefCell<Screen<Stdout>>>,
    step: Rc<RefCell<Option<Step>>>,
    /// The data node that is down on purpose.
    pub(super) down: Option<Place>,
    /// Those who watch, listen, write and draw; they end with the stage.
    tasks: JoinSet<()>,
}

impl<'a> Stage<'a> {
    /// Watch the places of `fleet` and draw them. To be called inside a `LocalSet`.
    pub(super) fn new(fleet: &'a mut Fleet, screen: Screen<Stdout>) -> Self {
        let map = fleet.map();
        let mut stage = Self {
            fleet,
            map,
            scene: Rc::new(RefCell::new(Scene::new(map))),
            events: Rc::default(),
            ledger: Rc::default(),
            screen: Rc::new(RefCell::new(screen)),
            step: Rc::default(),
            down: None,
            tasks: JoinSet::new(),
        };
        for (index, node) in map.nodes.into_iter().enumerate() {
            stage.tasks.spawn_local(watch::node(node, index, stage.scene.clone()));
        }
        for (index, daemon) in map.daemons.into_iter().enumerate() {
            stage.tasks.spawn_local(watch::daemon(daemon, index, stage.scene.clone()));
            stage.tasks.spawn_local(events::listen(daemon, stage.events.clone()));
        }
        let (scene, ledger) = (stage.scene.clone(), stage.ledger.clone());
        let (screen, step) = (stage.screen.clone(), stage.step.clone());
        stage.tasks.spawn_local(draw(scene, ledger, screen, step));
        stage
    }

    /// Start the writer.
    pub(super) fn start_writer(&mut self) {
        self.scene.borrow_mut().writer.running = true;
        self.tasks.spawn_local(writer::write(self.map, self.ledger.clone(), self.events.clone()));
    }

    /// Write a line that stays.
    pub(super) fn say(&self, line: &Line) {
        self.screen.borrow_mut().line(line);
    }

    /// Write lines that stay.
    pub(super) fn say_all(&self, lines: &[Line]) {
        lines.iter().for_each(|line| self.say(line));
    }

    /// Begin a step.
    pub(super) fn begin(&mut self, number: usize, of: usize, text: &str) {
        let step = Step { number, of, text: text.to_owned(), since: Instant::now() };
        if !self.live() {
            self.say(&headline(&step));
        }
        *self.step.borrow_mut() = Some(step);
    }

    /// End the step and say how long it took.
    pub(super) fn done(&mut self) {
        let Some(step) = self.step.borrow_mut().take() else { return };
        let took = format!("{} ms", super::text::grouped(millis(step.since.elapsed())));
        if self.live() {
            self.say(&headline(&step).and(Tone::Dim, format!("  {took}")));
        } else {
            self.say(&Line::default().to(6).and(Tone::Dim, format!("done after {took}")));
        }
    }

    /// The picture as lines that stay; for the moments that matter, and all that there is without a terminal.
    pub(super) fn show_picture(&self) {
        let glyphs = self.screen.borrow().look().glyphs;
        self.sync_writer();
        let lines = self.scene.borrow().draw(&glyphs);
        self.say_all(&lines);
    }

    /// A story as a table.
    pub(super) fn show_timeline(&self, title: &str, story: &timeline::Timeline) {
        let glyphs = self.screen.borrow().look().glyphs;
        self.say_all(&story.draw(title, &glyphs));
    }

    /// Whether pictures are drawn in place.
    pub(super) fn live(&self) -> bool {
        self.screen.borrow().look().live
    }

    /// Wait until `done`, at most for `limit`. A process that ends meanwhile, or an output that is closed, ends it.
    pub(super) async fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&Scene, &Ledger, &Events) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        loop {
            self.check(what)?;
            if done(&self.scene.borrow(), &self.ledger.borrow(), &self.events.borrow()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::TooLong { what: what.to_owned(), limit, detail: self.detail() });
            }
            sleep(LOOK).await;
        }
    }

    /// An error if a process ended that should run, or if nobody reads what is written.
    pub(super) fn check(&mut self, what: &str) -> Result<(), Error> {
        self.fleet.check(what, self.down)?;
        self.writable()
    }

    /// An error if nobody reads what is written.
    pub(super) fn writable(&self) -> Result<(), Error> {
        let failure = self.screen.borrow_mut().failure();
        failure.map_or(Ok(()), |source| Err(Error::Output { source }))
    }

    /// What is known, for an error message.
    fn detail(&self) -> String {
        let picture = self.scene.borrow().draw(&super::text::Glyphs::ASCII);
        let picture: String = picture.iter().map(|line| format!("\n{}", line.render(false))).collect();
        format!("{picture}{}", self.fleet.daemon_logs())
    }

    fn sync_writer(&self) {
        sync_writer(&mut self.scene.borrow_mut(), &self.ledger.borrow());
    }
}

// === impl Drop ===

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.screen.borrow_mut().clear();
    }
}

fn headline(step: &Step) -> Line {
    Line::default().and(Tone::Dim, format!("[{}/{}] ", step.number, step.of)).and(Tone::Strong, &step.text)
}

fn sync_writer(scene: &mut Scene, ledger: &Ledger) {
    scene.writer.acknowledged = ledger.total;
    scene.writer.at = ledger.at;
}

/// Draw for ever.
async fn draw(
    scene: Rc<RefCell<Scene>>,
    ledger: Rc<RefCell<Ledger>>,
    screen: Rc<RefCell<Screen<Stdout>>>,
    step: Rc<RefCell<Option<Step>>>,
) {
    if !screen.borrow().look().live {
        return;
    }
    loop {
        sync_writer(&mut scene.borrow_mut(), &ledger.borrow());
        let glyphs = screen.borrow().look().glyphs;
        let mut lines = vec![Line::default()];
        lines.extend(scene.borrow().draw(&glyphs));
        if let Some(step) = step.borrow().as_ref() {
            lines.push(Line::default());
            let full = BAR * step.number.saturating_sub(1) / step.of.max(1);
            let took = step.since.elapsed().as_secs_f64();
            let bar = Line::default().to(2).and(Tone::Good, glyphs.full.repeat(full));
            let bar = bar.and(Tone::Dim, glyphs.empty.repeat(BAR - full)).and(Tone::Plain, "  ");
            lines.push(bar.and(Tone::Wait, &step.text).and(Tone::Dim, format!("  {took:.1} s")));
        }
        screen.borrow_mut().picture(&lines);
        sleep(FRAME).await;
    }
}
