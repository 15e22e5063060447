//! Randomness of the operating system.
//!
//! Owns: the one call to it.
//! Must never: return bytes that are not random.

use kassette_core::parts::Entropy;

/// The kernel's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostEntropy;

impl Entropy for HostEntropy {
    /// # Panics
    /// When the kernel has no random numbers to give: without them neither keys nor journal generations are safe.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("a running Linux kernel gives random numbers");
    }
}
