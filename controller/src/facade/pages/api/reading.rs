//! The document, put in the order in which a person reads it.

use serde_json::{Map, Value};

use super::{prose::Prose, shape};

/// Methods in the order in which those of one path are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(super) struct Document {
    pub(super) about: Prose,
    pub(super) version: String,
    pub(super) chapters: Vec<Chapter>,
    pub(super) schemas: Vec<Schema>,
}

pub(super) struct Chapter {
    pub(super) name: String,
    pub(super) about: Prose,
    pub(super) operations: Vec<Operation>,
}

pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: Prose,
    pub(super) about: Prose,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    pub(super) refusals: Vec<Refusal>,
}

pub(super) struct Parameter {
    pub(super) name: String,
    /// Path, query or header.
    pub(super) place: String,
    pub(super) is_required: bool,
    pub(super) shape: String,
    pub(super) about: Prose,
}

pub(super) struct Body {
    /// Its schema, when it has a name.
    pub(super) schema: Option<String>,
    pub(super) is_required: bool,
    pub(super) fields: Vec<Field>,
    pub(super) example: String,
}

pub(super) struct Field {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) shape: String,
    /// The schema to look further in.
    pub(super) schema: Option<String>,
    pub(super) about: Prose,
}

pub(super) struct Answer {
    pub(super) status: String,
    pub(super) about: Prose,
    pub(super) forms: Vec<Form>,
}

/// One of the media types of an answer.
pub(super) struct Form {
    pub(super) media_type: String,
    pub(super) schema: Option<String>,
    /// Empty when there is none.
    pub(super) example: String,
}

pub(super) struct Refusal {
    pub(super) status: String,
    pub(super) code: String,
    pub(super) meaning: Prose,
}

pub(super) struct Schema {
    pub(super) name: String,
    pub(super) about: Prose,
    pub(super) fields: Vec<Field>,
}

impl Document {
    pub(super) fn read(document: &Value) -> Self {
        let whole = Whole(document);
        let tags = document["tags"].as_array().into_iter().flatten();
        let schemas = document["components"]["schemas"].as_object();
        Self {
            about: prose(&document["info"]["description"]),
            version: text(&document["info"]["version"]),
            chapters: tags.map(|tag| whole.chapter(tag)).collect(),
            schemas: schemas
                .into_iter()
                .flatten()
                .map(|(name, schema)| Schema {
                    name: name.clone(),
                    about: prose(&schema["description"]),
                    fields: whole.fields(schema),
                })
                .collect(),
        }
    }
}

/// What references are looked up in.
#[derive(Clone, Copy)]
struct Whole<'a>(&'a Value);

impl<'a> Whole<'a> {
    /// What `value` refers to, or itself.
    fn resolved(self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str();
        let path = reference.and_then(|reference| reference.strip_prefix('#'));
        path.and_then(|path| self.0.pointer(path)).unwrap_or(value)
    }

    fn chapter(self, tag: &Value) -> Chapter {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let methods = METHODS.into_iter();
            methods.filter_map(move |method| {
                let operation = item.get(method)?;
                let is_its = operation["tags"][0] == tag["name"];
                is_its.then(|| self.operation(method, path, operation))
            })
        });
        Chapter {
            name: text(&tag["name"]),
            about: prose(&tag["description"]),
            operations: operations.collect(),
        }
    }

    fn operation(self, method: &str, path: &str, operation: &'a Value) -> Operation {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let responses = operation["responses"].as_object();
        let responses = responses.into_iter().flatten();
        let responses = responses.map(|(status, it)| (status.as_str(), self.resolved(it)));
        let (refused, answered): (Vec<_>, Vec<_>) =
            responses.partition(|(status, _)| status.starts_with(['4', '5']));
        Operation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: prose(&operation["summary"]),
            about: prose(&operation["description"]),
            parameters: parameters.map(|it| self.parameter(it)).collect(),
            body: operation
                .get("requestBody")
                .and_then(|body| self.body(body)),
            answers: answered
                .into_iter()
                .map(|(status, it)| answer(status, it))
                .collect(),
            refusals: refused
                .into_iter()
                .flat_map(|(status, it)| refusals(status, it))
                .collect(),
        }
    }

    fn parameter(self, parameter: &'a Value) -> Parameter {
        let parameter = self.resolved(parameter);
        Parameter {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            is_required: parameter["required"] == true,
            shape: shape::of(&parameter["schema"]),
            about: prose(&parameter["description"]),
        }
    }

    fn body(self, body: &'a Value) -> Option<Body> {
        let (_, form) = body["content"].as_object()?.iter().next()?;
        let schema = &form["schema"];
        Some(Body {
            schema: shape::named(schema).map(Into::into),
            is_required: body["required"] == true,
            fields: self.fields(schema),
            example: example(form),
        })
    }

    /// The fields of an object, those of its parts included.
    fn fields(self, schema: &'a Value) -> Vec<Field> {
        let schema = self.resolved(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let mut fields: Vec<_> = parts.flat_map(|part| self.fields(part)).collect();
        let required = schema["required"].as_array();
        let properties: Option<&Map<String, Value>> = schema["properties"].as_object();
        fields.extend(properties.into_iter().flatten().map(|(name, it)| Field {
            name: name.clone(),
            is_required: required.is_some_and(|names| names.iter().any(|known| known == name)),
            shape: shape::of(it),
            schema: shape::named(it).map(Into::into),
            about: prose(&it["description"]),
        }));
        // What must be given comes first.
        fields.sort_by_key(|field| !field.is_required);
        fields
    }
}

fn answer(status: &str, answer: &Value) -> Answer {
    let forms = answer["content"].as_object().into_iter().flatten();
    Answer {
        status: status.to_owned(),
        about: prose(&answer["description"]),
        forms: forms
            .map(|(media_type, form)| Form {
                media_type: media_type.clone(),
                schema: shape::named(&form["schema"]).map(Into::into),
                example: example(form),
            })
            .collect(),
    }
}

/// A line for each code: `` `code`: what it means ``.
fn refusals(status: &str, answer: &Value) -> Vec<Refusal> {
    let lines = answer["description"].as_str().unwrap_or_default();
    let codes = lines.split("\n\n").filter_map(|line| {
        let (code, meaning) = line.strip_prefix('`')?.split_once("`: ")?;
        Some(Refusal {
            status: status.to_owned(),
            code: code.to_owned(),
            meaning: Prose::new(meaning),
        })
    });
    codes.collect()
}

fn example(form: &Value) -> String {
    let given = form.get("example");
    given
        .and_then(|example| serde_json::to_string_pretty(example).ok())
        .unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn prose(value: &Value) -> Prose {
    Prose::new(value.as_str().unwrap_or_default())
}
