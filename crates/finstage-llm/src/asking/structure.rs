//! What the answers of a row are held against.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::Error;
use crate::schema::Schema;

/// What answers are held against.
#[derive(Debug, Clone, Default)]
pub enum Structure {
    /// Nothing.
    Unchecked,
    /// What the row's own `response_format` asks for.
    #[default]
    OfRow,
    /// This schema, whatever the row says.
    Given(Arc<Schema>),
}

/// The schema that rows asked for last: most rows of a file ask for the same.
#[derive(Debug, Default)]
pub(super) struct Structures(Mutex<Option<(Value, Arc<Schema>)>>);

impl Structures {
    /// The schema for a row's answers.
    pub(super) fn of(
        &self,
        structure: &Structure,
        body: &Map<String, Value>,
    ) -> Result<Option<Arc<Schema>>, Error> {
        let format = match structure {
            Structure::Unchecked => return Ok(None),
            Structure::Given(schema) => return Ok(Some(Arc::clone(schema))),
            Structure::OfRow => body.get("response_format"),
        };
        let Some(format) = format else { return Ok(None) };
        match format["type"].as_str() {
            Some("json_object") => Ok(Some(Arc::new(Schema::any_object()))),
            Some("json_schema") => self.compiled(&format["json_schema"]["schema"]).map(Some),
            _ => Ok(None),
        }
    }

    fn compiled(&self, schema: &Value) -> Result<Arc<Schema>, Error> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = last.as_ref().filter(|(own, _)| own == schema) {
            return Ok(Arc::clone(compiled));
        }
        let compiled = Arc::new(Schema::new(schema)?);
        *last = Some((schema.clone(), Arc::clone(&compiled)));
        Ok(compiled)
    }
}
