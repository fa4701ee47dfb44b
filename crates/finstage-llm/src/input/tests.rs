use super::*;

fn options(name: &str, prompt: &str) -> InputOptions {
    InputOptions {
        name: name.to_owned(),
        template: (!prompt.is_empty()).then(|| Template::parse(prompt).unwrap()),
        model: Some("m".to_owned()),
        ..InputOptions::default()
    }
}

fn read(text: &[u8], options: InputOptions) -> Result<Vec<Row>, String> {
    Rows::open(text, options).and_then(Iterator::collect).map_err(|e| e.to_string())
}

/// Line, name and question of each row.
fn asked(text: &str, options: InputOptions) -> Vec<(u64, String, String)> {
    let rows = read(text.as_bytes(), options).unwrap();
    let question = |row: &Row| {
        let messages = row.body["messages"].as_array().unwrap();
        messages.last().unwrap()["content"].as_str().unwrap().to_owned()
    };
    rows.iter().map(|row| (row.line, row.custom_id.clone(), question(row))).collect()
}

fn triple(line: u64, name: &str, question: &str) -> (u64, String, String) {
    (line, name.to_owned(), question.to_owned())
}

#[test]
fn a_batch_file_is_read_with_its_line_numbers_marks_and_blank_lines() {
    let text = "\u{feff}\r\n{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":{\"model\":\"e\",\"input\":\"x\"}}\r\n\n  \n{\"custom_id\":7,\"body\":{\"messages\":[]}}";
    let rows = read(text.as_bytes(), options("in.jsonl", "")).unwrap();
    let seen: Vec<_> =
        rows.iter().map(|r| (r.line, r.custom_id.as_str(), r.url.as_str(), r.model())).collect();
    assert_eq!(seen, [(2, "a", "/v1/embeddings", "e"), (5, "7", CHAT, "m")]);
    let forced = InputOptions { is_model_forced: true, ..options("", "") };
    assert_eq!(read(text.as_bytes(), forced).unwrap()[0].model(), "m");
}

#[test]
fn an_empty_input_has_no_rows() {
    for name in ["a.jsonl", "a.csv", "-"] {
        assert_eq!(read(b"", options(name, "")).unwrap(), [], "{name}");
        assert_eq!(read(b"\n\r\n", options(name, "{a}")).unwrap(), [], "{name}");
    }
}

#[test]
fn values_of_csv_records_go_into_the_template_and_lines_are_those_of_the_file() {
    let text = "title,n\r\n\"a, \"\"b\"\"\r\nc\",1\r\n\r\nplain,2\r\n{n}5\" disk,3\r\nlast,4";
    let want = [
        triple(2, "row-2", "1: a, \"b\"\r\nc!"),
        triple(5, "row-5", "2: plain!"),
        triple(6, "row-6", "3: {n}5\" disk!"),
        triple(7, "row-7", "4: last!"),
    ];
    assert_eq!(asked(text, options("x.csv", "{n}: {title}!")), want);
    assert_eq!(asked(&text.replace('\r', ""), options("-", "{n}: {title}!"))[1..], want[1..]);
}

#[test]
fn rows_are_called_by_their_id_column_where_there_is_one() {
    let text = "id,custom_id,t\n1,one,x\n";
    assert_eq!(asked(text, options("", "{t}")), [triple(2, "one", "x")]);
    let text = "{\"id\":17,\"t\":\"y\"}\n{\"id\":\"z\",\"t\":1.10}\n";
    let want = [triple(1, "17", "y"), triple(2, "z", "1.10")];
    assert_eq!(asked(text, options("", "{t}")), want, "a number keeps its digits");
    let error = read(b"id,t\n,x\n", options("r.csv", "{t}")).unwrap_err();
    assert!(error.starts_with("r.csv:2: the row's name is empty"), "{error}");
}

#[test]
fn values_of_objects_are_shown_as_people_write_them() {
    let text = r#"{"a":null,"b":true,"c":{"d": [1]},"e":"\u00e9\n{a}","t":"x"}"#;
    let rows = asked(text, options("", "{a}|{b}|{c}|{e}"));
    assert_eq!(rows[0].2, "|true|{\"d\": [1]}|é\n{a}");
}

#[test]
fn a_question_of_columns_says_what_the_options_say() {
    let chat = ChatOptions {
        system: Some("be brief".into()),
        max_tokens: Some(9),
        temperature: 0.0,
        response_format: Some(json!({"type": "json_object"})),
    };
    let rows = read(b"t\nx\n", InputOptions { chat, ..options("", "{t}") }).unwrap();
    let want = json!({"model": "m", "max_tokens": 9, "temperature": 0,
        "response_format": {"type": "json_object"},
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}]});
    assert_eq!(Value::from(rows[0].body.clone()), want);
}

#[test]
fn what_cannot_be_used_is_an_error_with_its_line_and_reading_goes_on() {
    let text = "{\"custom_id\":\"a\",\"body\":{}}\n{\"custom_id\":\"b\"}\n{\"custom_id\":\"c\",\"body\":{}}\n";
    let rows: Vec<_> = Rows::open(text.as_bytes(), options("in.jsonl", "")).unwrap().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[1].as_ref().unwrap_err().to_string().starts_with("in.jsonl:2: no body"));
    assert_eq!(rows[2].as_ref().unwrap().custom_id, "c");
}

#[test]
fn each_wrong_row_is_told_with_its_remedy() {
    let good = "{\"custom_id\":\"a\",\"body\":{}}";
    for (line, words) in [
        ("{\"custom_id\":\"b\",\"method\":\"GET\",\"body\":{}}", "only POST asks a model"),
        ("{\"custom_id\":[],\"body\":{}}", "custom_id must be a text"),
        ("{\"custom_id\":\"\",\"body\":{}}", "custom_id is empty"),
        ("{\"body\":{}}", "no custom_id"),
        ("{\"custom_id\":\"b\",\"body\":7}", "it is no JSON object as needed"),
        ("{\"custom_id\":\"b\",", "it is no JSON object as needed: EOF"),
        ("{\"custom_id\":\"b\",\"url\":\"v1/x\",\"body\":{}}", "write the path alone"),
    ] {
        let error = read(format!("{good}\n{line}").as_bytes(), options("f", "")).unwrap_err();
        assert!(error.starts_with("f:2: ") && error.contains(words), "{line}: {error}");
    }
    let nameless = InputOptions { model: None, ..options("f", "") };
    let error = read(good.as_bytes(), nameless).unwrap_err();
    assert_eq!(error, "f:1: no model is named: add \"model\" to the body, or give --model");
}

#[test]
fn columns_that_are_missing_doubled_or_too_many_are_told_with_their_line() {
    for (text, name, words) in [
        (
            "id,titel\n1,x\n",
            "a.csv",
            "a.csv:1: no column \"title\" for the prompt; did you mean \"titel\"?",
        ),
        (
            "{\"title\":\"x\"}\n{\"titles\":1}",
            "a",
            "a:2: no column \"title\" for the prompt; did you mean \"titles\"?",
        ),
        ("title,title\n", "a.csv", "a.csv:1: two columns are called \"title\""),
        ("title,b\n1,2\n1,2,3\n", "a.csv", "a.csv:3: 3 columns where the head has 2"),
    ] {
        let error = read(text.as_bytes(), options(name, "{title}")).unwrap_err();
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn text_that_is_not_utf8_is_an_error_with_its_line() {
    let error = read(b"{\"t\":\"a\"}\n{\"t\":\"\xff\"}\n", options("f", "{t}")).unwrap_err();
    assert!(error.starts_with("f:2: it is not UTF-8"), "{error}");
    let error = read(b"t,u\na,b\nc,\xff\n", options("f.csv", "{t}")).unwrap_err();
    assert!(error.starts_with("f.csv:3: it is not UTF-8"), "{error}");
}

#[test]
fn a_template_and_whole_requests_do_not_go_together() {
    let request = "{\"custom_id\":\"a\",\"body\":{\"t\":1}}";
    let error = read(request.as_bytes(), options("f", "{t}")).unwrap_err();
    assert!(error.starts_with("f:1: this is a whole request"), "{error}");
    let columns = InputOptions { form: Some(Form::Objects), ..options("f", "{body}") };
    assert_eq!(asked(request, columns), [triple(1, "a", "{\"t\":1}")]);
    for text in ["a,b\n1,2\n", "{\"a\":1}\n"] {
        let error = read(text.as_bytes(), options("f", "")).unwrap_err();
        assert!(error.contains("--prompt 'Sentiment of: {text}'"), "{error}");
    }
}

/// A file without end, that counts what is taken of it.
#[derive(Debug)]
struct Endless(u64, u8);

impl std::io::Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(self.1);
        self.0 += into.len() as u64;
        Ok(into.len())
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    for (byte, name) in [(b'x', "f.jsonl"), (b'"', "f.csv")] {
        let mut endless = Endless(0, byte);
        let error = Rows::open(std::io::BufReader::new(&mut endless), options(name, "{t}"));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}:1: the row is longer than 16 MiB")), "{error}");
        assert!(endless.0 < 17 << 20, "read {}", endless.0);
    }
    let long = format!("t\nok\n\"{}", "a\n".repeat(MAX_LINE_BYTES / 2 + 9));
    let rows: Vec<_> = Rows::open(long.as_bytes(), options("f.csv", "{t}")).unwrap().collect();
    assert!(rows[0].is_ok() && rows.len() == 2, "nothing is read behind it");
    let error = rows[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("longer than 16 MiB"), "{error}");
}
