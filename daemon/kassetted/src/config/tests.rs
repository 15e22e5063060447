use super::*;
use kassette_wire::codes::Code;
use std::fs;
use std::time::Duration;

fn user(home: &Path) -> HostEnvironment {
    HostEnvironment {
        uid: 1000,
        home: Some(home.to_owned()),
        ..HostEnvironment::default()
    }
}

fn load(main: &str, drop_ins: &[(&str, &str)]) -> (tempfile::TempDir, Result<Config, ConfigErrors>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.toml");
    fs::write(&file, main).unwrap();
    fs::create_dir(folder.path().join("k.toml.d")).unwrap();
    for (name, text) in drop_ins {
        fs::write(folder.path().join("k.toml.d").join(name), text).unwrap();
    }
    let config = Config::load(Some(&file), &user(folder.path()));
    (folder, config)
}

#[test]
fn without_any_file_an_ordinary_user_gets_folders_of_his_own() {
    let home = tempfile::tempdir().unwrap();
    let config = Config::load(None, &user(home.path())).unwrap();
    assert_eq!(config.state_dir, home.path().join(".local/state/kassette"));
    assert_eq!(config.api.socket, home.path().join(".local/state/kassette/api.sock"));
    assert_eq!(config.keys_dir, home.path().join(".local/state/kassette/keys"));
    assert_eq!(
        (config.rack.kind, config.api.socket_mode, config.api.plain_tcp),
        (RackKind::Live, 0o660, None)
    );
    let session = HostEnvironment {
        xdg_runtime: Some("/run/user/1000".into()),
        ..user(home.path())
    };
    assert_eq!(
        Config::load(None, &session).unwrap().api.socket,
        Path::new("/run/user/1000/kassette/api.sock")
    );
}

#[test]
fn a_user_without_a_home_is_told_what_to_set() {
    let nobody = HostEnvironment {
        uid: 65534,
        ..HostEnvironment::default()
    };
    let errors = Config::load(None, &nobody).unwrap_err().0;
    assert_eq!(
        (errors[0].code, errors[0].key.as_str()),
        (Code::ConfigBadPath, "state.dir")
    );
}

#[test]
fn every_error_of_all_files_is_told_at_once_with_its_file_key_and_value() {
    let main = r#"
        [rack]
        kind = "alive"
        id = "00"
        [api]
        socket = "api.sock"
        max_message = 1000000
        keepalive_every = "20"
        sokcet_mode = "0660"
    "#;
    let extra = "[driver]\ntiming_percent = 0\n[api]\nplain_tcp = \"0.0.0.0:7000\"\n";
    let (_folder, result) = load(
        main,
        &[("10-extra.toml", extra), ("20-broken.toml", "= 1"), ("note.txt", "= 1")],
    );
    let errors = result.unwrap_err().0;
    let seen: Vec<_> = errors.iter().map(|e| (e.key.as_str(), e.code)).collect();
    for expected in [
        ("", Code::ConfigUnreadable),
        ("rack.kind", Code::ConfigBadValue),
        ("rack.id", Code::ConfigBadValue),
        ("api.socket", Code::ConfigBadPath),
        ("api.max_message", Code::ConfigBadSize),
        ("api.keepalive_every", Code::ConfigBadDuration),
        ("api.sokcet_mode", Code::ConfigUnknownKey),
        ("driver.timing_percent", Code::ConfigBadValue),
        ("api.plain_tcp", Code::ConfigListenerUnsafe),
    ] {
        assert!(seen.contains(&expected), "{expected:?} is missing in {seen:?}");
    }
    assert_eq!(errors.len(), 9, "{seen:?}");
    let timing = errors.iter().find(|e| e.key == "driver.timing_percent").unwrap();
    assert!(timing.file.as_ref().unwrap().ends_with("k.toml.d/10-extra.toml"));
    assert_eq!(timing.value.as_deref(), Some("0"));
    assert!(timing.text.contains("1 to 1000"), "{}", timing.text);
    let misspelt = errors.iter().find(|e| e.key == "api.sokcet_mode").unwrap();
    assert!(misspelt.text.contains("api.socket_mode"), "{}", misspelt.text);
}

#[test]
fn a_later_drop_in_wins_key_by_key() {
    let main = "[rack]\nkind = \"test\"\nid = \"K1\"\n[log]\nlevel = \"debug\"\n";
    let drop_ins = [
        ("20.toml", "[log]\nlevel = \"warn\"\n"),
        ("10.toml", "[log]\nlevel = \"trace\"\nformat = \"json\"\n"),
    ];
    let (_folder, config) = load(main, &drop_ins);
    let config = config.unwrap();
    assert_eq!(
        config.log,
        LogConfig {
            level: "warn".into(),
            format: LogFormat::Json
        }
    );
    assert_eq!((config.rack.kind, config.sources.len()), (RackKind::Test, 3));
}

#[test]
fn what_only_a_test_rack_may_do_is_refused_beside_live_documents() {
    let text = r#"
        [rack]
        assume_clock_synchronised = true
        [api]
        plain_tcp = "127.0.0.1:7000"
        [driver]
        timing_percent = 10
        [test]
        clock_offset_file = "/tmp/offset"
    "#;
    let keys: Vec<_> = load(text, &[]).1.unwrap_err().0.into_iter().map(|e| e.key).collect();
    let mut sorted = keys.clone();
    sorted.sort();
    let expected = [
        "api.plain_tcp",
        "driver.timing_percent",
        "rack.assume_clock_synchronised",
        "test.clock_offset_file",
    ];
    assert_eq!(sorted, expected);
    let config = load(&text.replace("[rack]", "[rack]\nkind = \"test\""), &[]).1.unwrap();
    assert_eq!(
        (config.timing_percent, config.rack.assume_clock_synchronised),
        (10, true)
    );
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_the_default_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let errors = Config::load(Some(&missing), &user(folder.path())).unwrap_err().0;
    assert_eq!(
        (errors[0].code, errors[0].file.as_deref()),
        (Code::ConfigUnreadable, Some(missing.as_path()))
    );
}

#[test]
fn the_shipped_example_names_every_key_and_states_the_defaults() {
    let example = include_str!("../../../../systemd/kassetted.toml");
    for spec in KEYS {
        let name = spec.key.rsplit('.').next().unwrap();
        assert!(
            example.contains(&format!("{name} = ")),
            "{} is not in the example",
            spec.key
        );
    }
    let uncommented: String = example
        .lines()
        .map(|line| line.strip_prefix("#=").unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let root = HostEnvironment {
        uid: 0,
        ..HostEnvironment::default()
    };
    let (plain, full) = (folder.path().join("plain.toml"), folder.path().join("full.toml"));
    fs::write(&plain, example).unwrap();
    fs::write(&full, uncommented).unwrap();
    let shipped = Config::load(Some(&plain), &root).unwrap();
    let mut stated = Config::load(Some(&full), &root).unwrap();
    stated.sources.clone_from(&shipped.sources);
    assert_eq!(stated, shipped, "a value after '#=' in the example is not the default");
}

#[test]
fn durations_and_sizes_need_a_unit_and_are_written_back_the_same() {
    for text in ["250ms", "30s", "5m", "23h", "7d"] {
        assert_eq!(text.parse::<DurationText>().unwrap().to_string(), text);
    }
    for text in ["0B", "512KiB", "64MiB", "1GiB"] {
        assert_eq!(text.parse::<SizeText>().unwrap().to_string(), text);
    }
    assert_eq!("90s".parse::<DurationText>().unwrap().0, Duration::from_secs(90));
    for bad in [
        "",
        "30",
        "s",
        "-1s",
        "1.5s",
        "30 s",
        "99999999999999999999s",
        "18446744073709551615d",
    ] {
        assert!(bad.parse::<DurationText>().is_err(), "{bad}");
    }
    for bad in ["64", "64MB", "99999999999999GiB"] {
        assert!(bad.parse::<SizeText>().is_err(), "{bad}");
    }
}
