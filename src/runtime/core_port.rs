//! The engine as the driver sees it.

use super::ports::Core;
use crate::core::view::View;
use crate::core::{Actions, Engine, Input, Settings, Time};

impl Core for Engine {
    fn start(&mut self, now: Time, actions: &mut Actions) {
        self.start(now, actions);
    }

    fn handle(&mut self, input: Input, now: Time, actions: &mut Actions) {
        self.handle(input, now, actions);
    }

    fn next_deadline(&self) -> Option<(Time, &'static str)> {
        self.next_deadline()
    }

    fn snapshot(&self) -> Settings {
        self.snapshot()
    }

    fn info_section(&self, now: Time) -> String {
        self.info_section(now)
    }

    fn simulate_failure_flags(&self) -> u8 {
        self.simulate_failure_flags()
    }

    fn view(&self, now: Time) -> View {
        self.view(now)
    }
}
