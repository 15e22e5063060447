//! The contract as a whole, read from its own descriptor.
//!
//! Owns: what `buf lint` cannot say: the nine services, the tags, what is optional, what may be imported.
//! Must never: repeat a check of `buf lint`, but for comments, which are promised even where npm is missing.

use kassette_api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;

/// Tags of the FFD table (`fn-ffd-ofd` C.4) that a receipt, an item or a correction carries in FFD 1.05 or 1.2, what is nested in
/// them, and the additions after 2023 (1115, 1119, 1120, 1125, 1234 to 1238, 1082).
const DOCUMENT_TAGS: [u32; 124] = [
    1005, 1008, 1009, 1012, 1016, 1018, 1020, 1021, 1023, 1026, 1030, 1031, 1036, 1037, 1038, 1040, 1041, 1042, 1043,
    1044, 1048, 1054, 1055, 1057, 1059, 1060, 1073, 1074, 1075, 1077, 1079, 1081, 1082, 1084, 1085, 1086, 1102, 1103,
    1104, 1105, 1106, 1107, 1108, 1115, 1117, 1119, 1120, 1125, 1162, 1163, 1171, 1173, 1174, 1178, 1179, 1187, 1191,
    1192, 1197, 1198, 1199, 1200, 1203, 1209, 1212, 1214, 1215, 1216, 1217, 1222, 1223, 1224, 1225, 1226, 1227, 1228,
    1229, 1230, 1231, 1234, 1235, 1236, 1237, 1238, 1243, 1244, 1245, 1246, 1254, 1256, 1260, 1261, 1262, 1263, 1264,
    1265, 1270, 1271, 1272, 1273, 1291, 1292, 1293, 1294, 1300, 1301, 1302, 1303, 1304, 1305, 1306, 1307, 1308, 1309,
    1320, 1321, 1322, 1323, 1324, 1325, 2102, 2106, 2107, 2108,
];

/// What cloud interfaces send beside those: time zone, basis text, full marking code, its statuses and type.
const CLOUD_TAGS: [u32; 6] = [1011, 1177, 2000, 2003, 2100, 2110];

/// Tags that the FN, the register or the registration puts into a document: they come back, nobody sends them.
const ANSWERED_TAGS: [u32; 8] = [1012, 1037, 1038, 1040, 1041, 1042, 1077, 1209];

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the descriptor is a FileDescriptorSet");
    set.file
        .into_iter()
        .filter(|file| file.package() == "kassette.v1")
        .collect()
}

/// Leading comments by their path in the file.
fn comments(file: &FileDescriptorProto) -> BTreeMap<Vec<i32>, String> {
    let info = file.source_code_info.as_ref().expect("the descriptor keeps comments");
    info.location
        .iter()
        .map(|place| (place.path.clone(), place.leading_comments().trim().to_owned()))
        .collect()
}

/// The comments of each message and each of its fields, by `Message` and `Message.field`.
fn documented(file: &FileDescriptorProto) -> BTreeMap<String, String> {
    let comments = comments(file);
    let text = |path: &[i32]| comments.get(path).cloned().unwrap_or_default();
    let mut out = BTreeMap::new();
    for (index, message) in (0..).zip(&file.message_type) {
        out.insert(message.name().to_owned(), text(&[4, index]));
        for (position, field) in (0..).zip(&message.field) {
            out.insert(
                format!("{}.{}", message.name(), field.name()),
                text(&[4, index, 2, position]),
            );
        }
    }
    out
}

fn names_tag(text: &str, tag: u32) -> bool {
    let wanted = format!("tag {tag}");
    text.match_indices(&wanted)
        .any(|(at, _)| !text[at + wanted.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn all_nine_services_and_every_promised_method_are_in_the_contract() {
    let promised = [
        "ReceiptService: SubmitReceipt SubmitReceipts ValidateReceipt GetReceipt ListReceipts ListDocuments \
         WatchReceipts CancelReceipt GetTenantStatus ListCodes",
        "InventoryService: GetSlot ListSlots GetRegister ListRegisters GetFiscalStorage ListFiscalStorages \
         WatchInventory CordonRegister UncordonRegister DrainRegister HoldRegister ReleaseRegister LocateSlot \
         CheckSafeToPull ListForecasts ListWorkItems",
        "CassetteService: GetCassette ListCassettes WatchCassettes CordonCassette UncordonCassette DrainCassette",
        "TenantService: GetTenant ListTenants WatchTenants CordonTenant UncordonTenant DrainTenant",
        "ShiftService: GetShift ListShifts WatchShifts OpenShift CloseShift",
        "ProcedureService: GetProcedure ListProcedures WatchProcedures PlanProcedure StartProcedure ConfirmProcedure \
         AbortProcedure",
        "DoubtService: GetDoubt ListDoubts WatchDoubts SettleDoubt",
        "RackService: GetRack ApplyRack ExportRack Reload StreamBackup CheckUpgrade SetLogLevel",
        "SchedulerService: Report",
    ];
    let services: BTreeMap<String, Vec<String>> = files()
        .iter()
        .flat_map(|file| &file.service)
        .map(|service| {
            (
                service.name().to_owned(),
                service.method.iter().map(|m| m.name().to_owned()).collect(),
            )
        })
        .collect();
    assert_eq!(services.len(), promised.len(), "{:?}", services.keys());
    for line in promised {
        let (service, methods) = line.split_once(": ").expect("the table names a service");
        let there = services.get(service).unwrap_or_else(|| panic!("{service} is missing"));
        for method in methods.split_whitespace() {
            assert!(there.iter().any(|name| name == method), "{service}.{method} is missing");
        }
    }
}

#[test]
fn every_field_value_message_and_method_says_what_it_means() {
    let mut silent = Vec::new();
    for file in files() {
        silent.extend(
            documented(&file)
                .into_iter()
                .filter(|(_, text)| text.is_empty())
                .map(|(name, _)| name),
        );
        let comments = comments(&file);
        let mut check = |path: &[i32], name: String| {
            if comments.get(path).is_none_or(String::is_empty) {
                silent.push(name);
            }
        };
        for (index, list) in (0..).zip(&file.enum_type) {
            check(&[5, index], list.name().to_owned());
            for (position, value) in (0..).zip(&list.value) {
                check(&[5, index, 2, position], value.name().to_owned());
            }
        }
        for (index, service) in (0..).zip(&file.service) {
            check(&[6, index], service.name().to_owned());
            for (position, method) in (0..).zip(&service.method) {
                check(
                    &[6, index, 2, position],
                    format!("{}.{}", service.name(), method.name()),
                );
            }
        }
    }
    assert!(silent.is_empty(), "without a comment: {silent:?}");
}

#[test]
fn every_tag_of_a_receipt_has_a_field_or_message_that_names_it() {
    let files = files();
    let texts = |wanted: &[&str]| -> String {
        let chosen = files
            .iter()
            .filter(|file| wanted.iter().any(|name| file.name().ends_with(name)));
        chosen
            .flat_map(|file| documented(file).into_values())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let asked = texts(&["/receipt.proto"]);
    let answered = texts(&["/receipt_job.proto", "/document.proto"]);
    let nowhere: Vec<u32> = DOCUMENT_TAGS
        .into_iter()
        .chain(CLOUD_TAGS)
        .filter(|tag| !names_tag(if ANSWERED_TAGS.contains(tag) { &answered } else { &asked }, *tag))
        .collect();
    assert!(nowhere.is_empty(), "no field names the tags {nowhere:?}");
}

#[test]
fn in_a_receipt_absent_zero_and_empty_are_three_things() {
    let plain = |message: &DescriptorProto| -> Vec<String> {
        let scalar = |field: &&FieldDescriptorProto| {
            !matches!(field.r#type(), Type::Message | Type::Enum) && field.label() != Label::Repeated
        };
        let plain = message
            .field
            .iter()
            .filter(scalar)
            .filter(|field| !field.proto3_optional());
        plain
            .map(|field| format!("{}.{}", message.name(), field.name()))
            .collect()
    };
    let files = files();
    let receipt = files
        .iter()
        .find(|file| file.name().ends_with("/receipt.proto"))
        .expect("receipt.proto is compiled");
    let plain: Vec<String> = receipt.message_type.iter().flat_map(plain).collect();
    assert!(plain.is_empty(), "not optional: {plain:?}");
}

#[test]
fn sums_and_quantities_are_whole_numbers_and_no_field_is_a_float() {
    for file in files() {
        for message in &file.message_type {
            for field in &message.field {
                let name = format!("{}.{}", message.name(), field.name());
                assert!(
                    !matches!(field.r#type(), Type::Float | Type::Double),
                    "{name} is a float"
                );
                if field.name().ends_with("_kopecks") || field.name().ends_with("_millionths") {
                    assert_eq!(field.r#type(), Type::Int64, "{name}");
                }
            }
        }
    }
}

#[test]
fn clients_need_no_files_but_ours_google_protobuf_and_the_status() {
    for file in files() {
        for import in &file.dependency {
            let allowed = ["google/protobuf/", "kassette/v1/"]
                .iter()
                .any(|folder| import.starts_with(folder));
            assert!(
                allowed || import == "google/rpc/status.proto",
                "{} imports {import}",
                file.name()
            );
        }
    }
}

#[test]
fn orders_that_change_something_repeat_safely_and_can_be_tried_first() {
    // Asking is not acting: these verbs change nothing, or are no order of a person.
    const READERS: [&str; 11] = [
        "Get", "List", "Watch", "Submit", "Validate", "Export", "Stream", "Check", "Report", "Locate", "Plan",
    ];
    // They change no object that could have changed meanwhile, or nothing that could be tried first.
    const WITHOUT_ETAG: [&str; 3] = ["Reload", "RescanPorts", "SetLogLevel"];
    const WITHOUT_CHECK: [&str; 2] = ["RescanPorts", "SetLogLevel"];
    for file in files() {
        for method in file.service.iter().flat_map(|service| &service.method) {
            if READERS.iter().any(|verb| method.name().starts_with(verb)) {
                continue;
            }
            let wanted = format!("{}Request", method.name());
            let request = file
                .message_type
                .iter()
                .find(|message| message.name() == wanted)
                .expect("stands in its file");
            let has = |name: &str| request.field.iter().any(|field| field.name() == name);
            assert!(has("request_id") && has("reason"), "{wanted}");
            assert!(has("etag") || WITHOUT_ETAG.contains(&method.name()), "{wanted}");
            assert!(
                has("validate_only") || WITHOUT_CHECK.contains(&method.name()),
                "{wanted}"
            );
        }
    }
}
