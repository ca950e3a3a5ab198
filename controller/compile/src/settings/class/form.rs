//! The types of fields.

use serde_json::{Value, json};

use super::{super::setting::Setting, described};
use crate::nginx;

/// What the value of a field looks like, where the ConfigMap has text.
pub(in super::super) enum Form {
    Boolean,
    /// A whole number of 32 bits.
    Number,
    /// Whole seconds, with units: `1m30s`.
    Time,
    /// Bytes, with nginx's units: `8m`.
    Size,
    /// One of these numbers.
    OneOf(&'static [u16]),
    /// A list; the ConfigMap has this between its items.
    List(char),
}

/// Hours, minutes and seconds, in this order, without fractions: what both nginx and the Gateway API (GEP-2257) take.
const TIME: &str = "^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$";

const SIZE: &str = "^[0-9]{1,15}[kKmMgG]?$";

impl Form {
    /// The schema of a field.
    pub(super) fn schema(&self, setting: &Setting) -> Value {
        let schema = match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Number => json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX }),
            Self::Time => json!({ "type": "string", "minLength": 2, "pattern": TIME }),
            Self::Size => json!({ "type": "string", "pattern": SIZE }),
            Self::OneOf(numbers) => json!({ "type": "integer", "format": "int32", "enum": numbers }),
            Self::List(separator) => {
                let item = json!({ "type": "string", "minLength": 1, "maxLength": 253, "pattern": format!("^[^{separator}]+$") });
                json!({ "type": "array", "maxItems": 64, "items": item, "x-kubernetes-list-type": "atomic" })
            }
        };
        described(setting, schema)
    }

    /// For the reference page.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Time => "a time such as `1m30s`".to_owned(),
            Self::Size => "a size such as `8m`".to_owned(),
            Self::OneOf(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(|number| format!("`{number}`")).collect();
                format!("one of {}", numbers.join(", "))
            }
            Self::List(_) => "a list".to_owned(),
        }
    }

    /// The value as the ConfigMap has it.
    ///
    /// # Errors
    /// It has another type.
    pub(super) fn text(&self, value: &Value) -> Result<String, String> {
        let wrong = |wanted: &str| format!("`{value}` is not {wanted}");
        match self {
            Self::Boolean => value.as_bool().map(|on| on.to_string()).ok_or_else(|| wrong("`true` or `false`")),
            Self::Number => whole(value).map(|number| number.to_string()).ok_or_else(|| wrong("a whole number")),
            Self::Time => time(value.as_str().unwrap_or_default()).ok_or_else(|| wrong("a time such as `1m30s`")),
            Self::Size => {
                let text = value.as_str().filter(|text| text.starts_with(|first: char| first.is_ascii_digit()));
                text.map(str::to_owned).ok_or_else(|| wrong("a size such as `8m`"))
            }
            Self::OneOf(numbers) => {
                let number = whole(value).filter(|number| numbers.iter().any(|known| u32::from(*known) == *number));
                number.map(|number| number.to_string()).ok_or_else(|| format!("`{value}` is not {}", self.words()))
            }
            Self::List(separator) => list(value, *separator).ok_or_else(|| wrong("a list of texts")),
        }
    }

    /// The value that says the same as this text of the ConfigMap.
    #[cfg(test)]
    pub(super) fn value(&self, text: &str) -> Value {
        match self {
            Self::Boolean => json!(nginx::boolean(text).unwrap()),
            Self::Number | Self::OneOf(_) => json!(text.parse::<u32>().unwrap()),
            Self::Time => json!(format!("{text}s")),
            Self::Size => json!(text),
            Self::List(separator) => json!(text.split(*separator).collect::<Vec<_>>()),
        }
    }
}

fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn time(text: &str) -> Option<String> {
    // Without a unit it would be seconds in the ConfigMap, and is not let through by the schema.
    let time = nginx::time(text).ok().filter(|_| text.ends_with(['h', 'm', 's']))?;
    (time.subsec_nanos() == 0).then(|| time.as_secs().to_string())
}

fn list(value: &Value, separator: char) -> Option<String> {
    let items: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
    let items = items.filter(|items| items.iter().all(|item| !item.is_empty() && !item.contains(separator)))?;
    Some(items.join(&separator.to_string()))
}
