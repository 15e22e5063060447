//! Whether a port is there: the identity of what a path leads to.
//!
//! Owns: the look at the file system.
//! Must never: open a device: on some a mere open changes modem lines or resets the register.

use kassette_core::parts::PortAddress;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// What stands behind an address now. Two looks that differ mean that the port went and came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A character device: where its node lies and which device it is.
    Device {
        /// File system of the node.
        fs: u64,
        /// Node.
        inode: u64,
        /// Device number.
        device: u64,
    },
    /// A network address: taken as present; only a connection can tell.
    Network,
}

/// Looks at an address, through symbolic links; `None` when nothing or no character device is there.
#[must_use]
pub fn present_now(address: &PortAddress) -> Option<Identity> {
    let PortAddress::Serial(path) = address else {
        return Some(Identity::Network);
    };
    let meta = std::fs::metadata(path).ok()?;
    meta.file_type().is_char_device().then(|| Identity::Device {
        fs: meta.dev(),
        inode: meta.ino(),
        device: meta.rdev(),
    })
}

/// The USB port path (`1-2.4`) that a serial device hangs on, where sysfs tells it.
pub(super) fn usb_port_path(address: &PortAddress) -> Option<String> {
    let PortAddress::Serial(path) = address else {
        return None;
    };
    let node = std::fs::canonicalize(path).ok()?;
    let device = Path::new("/sys/class/tty").join(node.file_name()?).join("device");
    usb_port_in(&std::fs::canonicalize(device).ok()?)
}

/// The last component of a sysfs path that names a USB device: `BUS-PORT[.PORT]*`, without the interface after it.
fn usb_port_in(sysfs: &Path) -> Option<String> {
    let names: Vec<PathBuf> = sysfs.components().map(|part| PathBuf::from(part.as_os_str())).collect();
    names
        .iter()
        .rev()
        .filter_map(|name| name.to_str())
        .find(|name| is_usb_port(name))
        .map(str::to_owned)
}

fn is_usb_port(name: &str) -> bool {
    let Some((bus, ports)) = name.split_once('-') else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number(bus) && ports.split('.').all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usb_port_is_read_from_the_path_of_the_device_and_not_of_its_interface() {
        let path = Path::new("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.4/1-2.4:1.0");
        assert_eq!(usb_port_in(path).as_deref(), Some("1-2.4"));
        assert_eq!(usb_port_in(Path::new("/sys/devices/pnp0/00:04/serial-8250")), None);
    }

    #[test]
    fn a_plain_file_is_no_port() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(
            present_now(&PortAddress::Serial(file.path().display().to_string())),
            None
        );
        assert!(present_now(&PortAddress::Serial("/dev/null".into())).is_some());
    }
}
