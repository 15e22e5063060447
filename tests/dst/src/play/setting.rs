//! What a story begins with: registers, their links, and the plan that names them.
//!
//! Owns: the rack file and the plan of a story.
//! Must never: draw; what is drawn is `story`'s.

use super::Play;
use kassette_core::domain::plan::{Admission, RackPlan, RegisterPlan, SlotPlan, TenantPlan};
use kassette_hw_sim::rack_file::{Generated, RackFile, generate};

/// The tenants of a story; most have the first alone.
pub const TENANTS: [&str; 2] = ["7704358518", "7707083893"];

/// What a story begins with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Seed of registers and of the core's entropy.
    pub seed: u64,
    /// How many registers.
    pub registers: u32,
    /// Value of `timing` in the rack file.
    pub timing: &'static str,
    /// `pty` or `tcp`.
    pub link: &'static str,
    /// Registers that have numbered frames.
    pub v2: bool,
    /// Readings of the reference that the registers have, as switches of the rack file.
    pub switches: Vec<&'static str>,
    /// More lines for every register of the rack file.
    pub extra: String,
    /// First letters of FN numbers.
    pub fn_prefix: &'static str,
    /// Life of a job in the queue.
    pub ttl_s: u64,
    /// How many of the registers, from the first on, make documents of FFD 1.05.
    pub of_1_05: usize,
    /// How many tenants; registers go to them in turn.
    pub tenants: usize,
}

impl Setting {
    /// A rack of so many registers that work in realistic time.
    #[must_use]
    pub fn new(seed: u64, registers: u32) -> Self {
        Self {
            seed,
            registers,
            timing: "\"realistic\"",
            link: "pty",
            v2: false,
            switches: Vec::new(),
            extra: String::new(),
            fn_prefix: "9999",
            ttl_s: 86_400,
            of_1_05: 0,
            tenants: 1,
        }
    }

    /// Registers that take no time: for stories in which many things happen.
    #[must_use]
    pub fn instant(mut self) -> Self {
        self.timing = "\"instant\"";
        self
    }

    /// Registers on the network, or not; with numbered frames, or without.
    #[must_use]
    pub fn linked(mut self, link: &'static str, v2: bool) -> Self {
        (self.link, self.v2) = (link, v2);
        self
    }

    fn tenants(&self) -> impl Iterator<Item = &'static str> {
        TENANTS.into_iter().take(self.tenants)
    }

    pub(super) fn file(&self) -> RackFile {
        let v2 = self.v2.then_some("link_v2 = true");
        let switches: Vec<&str> = self.switches.iter().copied().chain(v2).collect();
        let switches = match switches.is_empty() {
            true => String::new(),
            false => format!("\nswitches = {{ {} }}", switches.join(", ")),
        };
        let wish = Generated {
            registers: self.registers,
            tenants: self.tenants().map(str::to_owned).collect(),
            timing: self.timing.to_owned(),
            seed: self.seed,
            link: self.link.to_owned(),
            extra: format!("{}{switches}", self.extra),
            fn_prefix: self.fn_prefix.to_owned(),
            ..Generated::default()
        };
        let mut file: RackFile = generate(&wish).parse().expect("a generated rack file is good");
        for entry in &mut file.registers {
            entry.port.clone_from(&entry.config.serial);
        }
        for entry in file.registers.iter_mut().take(self.of_1_05) {
            entry.config.ffd = kassette_hw_sim::models::shtrih_m::Ffd::V105;
        }
        file
    }
}

pub(super) fn plan_of(setting: &Setting, file: &RackFile) -> RackPlan {
    let address = |name: &str| match setting.link {
        "tcp" => format!("tcp:{name}:7778"),
        _ => format!("/sim/{name}"),
    };
    let spare = (0..file.registers.len()).map(|at| (format!("Z{at}"), address(&Play::spare(at))));
    let own = file.registers.iter().enumerate();
    let own = own.map(|(at, entry)| (format!("S{at}"), address(&entry.config.serial)));
    let slots = own.chain(spare).map(|(label, port)| SlotPlan {
        label,
        port,
        baud: None,
        link: None,
    });
    let registers = file.registers.iter().map(|entry| RegisterPlan {
        vendor: "shtrih-m".into(),
        serial: entry.config.serial.clone(),
        fn_number: entry.config.fn_unit.number.clone(),
        tenant: entry.config.inn.clone(),
        zone: "+03:00".into(),
    });
    let tenants = setting.tenants().map(|inn| TenantPlan {
        inn: inn.into(),
        name: "Test".into(),
        ttl_s: setting.ttl_s,
        contact_retention_s: None,
        queue_max: 1000,
        submissions_per_second: 0,
        admission: Admission::Open,
        clients: vec!["*".into()],
    });
    RackPlan {
        rack_id: None,
        tenants: tenants.collect(),
        slots: slots.collect(),
        registers: registers.collect(),
    }
}
