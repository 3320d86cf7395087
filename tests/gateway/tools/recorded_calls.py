"""What models write when they call, as recorded in the tests of vLLM's tool parsers and in models' own templates.

The texts and what they mean are facts from github.com/vllm-project/vllm, `tests/tool_use` and `tests/tool_parsers`
(December 2025), shortened. Each row: the syntax, the text, the content, and the calls with their arguments.
"""

from __future__ import annotations

from typing import Any

Calls = list[tuple[str, dict[str, Any]]]
Row = tuple[str, str, str | None, Calls]

STRING = {"type": "string"}
FUNCTIONS: dict[str, dict[str, Any]] = {
    "add": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    "get_weather": {"type": "object", "properties": {"city": STRING, "state": STRING, "unit": STRING, "date": STRING}},
    "calculate_area": {
        "type": "object",
        "properties": {"shape": STRING, "dimensions": {"type": "object"}, "precision": {"type": "integer"}},
    },
    "test_types": {
        "type": "object",
        "properties": {
            "int_param": {"type": "integer"},
            "float_param": {"type": "float"},
            "bool_param": {"type": "boolean"},
            "str_param": STRING,
            "obj_param": {"type": "object"},
            "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/list"}]},
        },
        "$defs": {"list": {"type": "array"}},
    },
    **{name: {"type": "object", "properties": {}} for name in ("register_user", "do_something_cool", "refresh")},
    "search_web": {"type": "object", "properties": {"query_list": {"type": "array"}}},
    "get_current_time": {},
}

DALLAS = {"city": "Dallas", "state": "TX", "unit": "fahrenheit"}
ORLANDO = {"city": "Orlando", "state": "FL", "unit": "fahrenheit"}
TOKYO = '{"city": "Tokyo", "unit": "celsius"}'
_QWEN = """<tool_call>
<function=get_weather>
<parameter=city>
%s
</parameter>
<parameter=state>
%s
</parameter>
<parameter=unit>
fahrenheit
</parameter>
</function>
</tool_call>"""
_GLM = """<tool_call>get_weather
    <arg_key>city</arg_key>
    <arg_value>%s</arg_value>
    <arg_key>state</arg_key>
    <arg_value>%s</arg_value>
    <arg_key>unit</arg_key>
    <arg_value>fahrenheit</arg_value>
    </tool_call>"""
_V3 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>%s\n```json\n%s\n```<｜tool▁call▁end｜>"
_V31 = "<｜tool▁call▁begin｜>%s<｜tool▁sep｜>%s<｜tool▁call▁end｜>"
_DEEPSEEK = "<｜tool▁calls▁begin｜>%s<｜tool▁calls▁end｜>"
_KIMI = "<|tool_call_begin|>functions.%s<|tool_call_argument_begin|>%s<|tool_call_end|>"
_SECTION = "<|tool_calls_section_begin|>%s<|tool_calls_section_end|>"
_USER = "register_user(name='Doe', age=9, address={'city': 'LA', 'state': 'CA'}, role=None, passed=True, aliases=['J'])"
_USER_ARGUMENTS = {
    "name": "Doe",
    "age": 9,
    "address": {"city": "LA", "state": "CA"},
    "role": None,
    "passed": True,
    "aliases": ["J"],
}
_LA = "get_weather(city='LA', metric='C')"
_LA_CALL = ("get_weather", {"city": "LA", "metric": "C"})

ROWS: list[Row] = [
    # Mistral, before its tokenizer 11 and since.
    ("mistral", '[TOOL_CALLS][{"name": "add", "arguments":{"a": 3.5, "b": 4}}]', None, [("add", {"a": 3.5, "b": 4})]),
    ("mistral", '[TOOL_CALLS]  [ {"name":"add" , "arguments" : {"a": 3} } ]', None, [("add", {"a": 3})]),
    (
        "mistral",
        '[TOOL_CALLS] [{"arguments":{"city": "A"}, "name": "get_weather"}]',
        None,
        [("get_weather", {"city": "A"})],
    ),
    ("mistral", '[TOOL_CALLS]add{"a": 3.5, "b": 4}', None, [("add", {"a": 3.5, "b": 4})]),
    ("mistral", '[TOOL_CALLS]add[ARGS]{"a": 3.5}', None, [("add", {"a": 3.5})]),
    ("mistral", 'Hi![TOOL_CALLS]add[CALL_ID]a1b2c3d4e[ARGS]{"a": 1}', "Hi!", [("add", {"a": 1})]),
    ("mistral", '[TOOL_CALLS]add{"a": 1}[TOOL_CALLS]refresh{}', None, [("add", {"a": 1}), ("refresh", {})]),
    # Qwen3-Coder, with types by the schema.
    ("qwen_coder", _QWEN % ("Dallas", "TX"), None, [("get_weather", DALLAS)]),
    ("qwen_coder", "Sure!" + _QWEN % ("Dallas", "TX"), "Sure!", [("get_weather", DALLAS)]),
    (
        "qwen_coder",
        _QWEN % ("Dallas", "TX") + "\n" + _QWEN % ("Orlando", "FL"),
        None,
        [("get_weather", DALLAS), ("get_weather", ORLANDO)],
    ),
    (
        "qwen_coder",
        "<tool_call>\n<function=calculate_area>\n<parameter=shape>\nrectangle\n</parameter>\n<parameter=dimensions>\n"
        '{"width": 10, \n "height": 20}\n</parameter>\n<parameter=precision>\n2\n</parameter>\n</function>\n'
        "</tool_call>",
        None,
        [("calculate_area", {"shape": "rectangle", "dimensions": {"width": 10, "height": 20}, "precision": 2})],
    ),
    (
        "qwen_coder",
        "<function=get_weather>\n<parameter=city>\nDallas\n</parameter>\n</function>",
        None,
        [("get_weather", {"city": "Dallas"})],
    ),
    (
        "qwen_coder",
        "<tool_call>\n<function=test_types>\n<parameter=int_param>\n42\n</parameter>\n<parameter=float_param>\n3.14\n"
        "</parameter>\n<parameter=bool_param>\ntrue\n</parameter>\n<parameter=str_param>\nhello\n world\n</parameter>\n"
        '<parameter=obj_param>\n{"key": "value"}\n</parameter>\n<parameter=maybe>\nnull\n</parameter>\n</function>\n'
        "</tool_call>",
        None,
        [
            (
                "test_types",
                {
                    "int_param": 42,
                    "float_param": 3.14,
                    "bool_param": True,
                    "str_param": "hello\n world",
                    "obj_param": {"key": "value"},
                    "maybe": None,
                },
            )
        ],
    ),
    (
        "qwen_coder",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nDallas\n<parameter=state>\nTX\n</parameter>\n"
        "<parameter=unit>\n\nfahrenheit\n</function>\n</tool_call>",
        None,
        [("get_weather", {**DALLAS, "unit": "\nfahrenheit"})],
    ),
    (
        "qwen_coder",
        "<tool_call><function=refresh></function><function=add><parameter=a>1</parameter></function></tool_call> So.",
        " So.",
        [("refresh", {}), ("add", {"a": 1})],
    ),
    (
        "seed",
        "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Barcelona, Spain</parameter>\n</function>\n"
        "</seed:tool_call>",
        None,
        [("get_weather", {"city": "Barcelona, Spain"})],
    ),
    # Llama 3.1 by its own card.
    ("function", '<function=get_weather>{"city": "Oslo"}</function>', None, [("get_weather", {"city": "Oslo"})]),
    ("function", 'I do.\n<function=add>{"a": 1}</function>', "I do.\n", [("add", {"a": 1})]),
    # DeepSeek V3 and R1, V3.1, V3.2.
    (
        "deepseek",
        _DEEPSEEK % (_V3 % ("get_weather", TOKYO)),
        None,
        [("get_weather", {"city": "Tokyo", "unit": "celsius"})],
    ),
    (
        "deepseek",
        "Let me check." + _DEEPSEEK % (_V3 % ("get_weather", '{"city": "A"}') + _V3 % ("refresh", "{}")),
        "Let me check.",
        [("get_weather", {"city": "A"}), ("refresh", {})],
    ),
    ("deepseek", "normal text" + _DEEPSEEK % (_V31 % ("add", '{"a":1}')), "normal text", [("add", {"a": 1})]),
    (
        "deepseek",
        "prefix" + _DEEPSEEK % (_V31 % ("add", '{"a":1}') + _V31 % ("refresh", "{}")) + " suffix",
        "prefix suffix",
        [("add", {"a": 1}), ("refresh", {})],
    ),
    (
        "dsml",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="search_web">\n<｜DSML｜parameter name="query" string="true">'
        '[1]</｜DSML｜parameter>\n<｜DSML｜parameter name="topn" string="false">[2]</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n"
        '<｜DSML｜invoke name="refresh">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        None,
        [("search_web", {"query": "[1]", "topn": [2]}), ("refresh", {})],
    ),
    # GLM 4.5.
    ("glm", _GLM % ("Dallas", "TX"), None, [("get_weather", DALLAS)]),
    (
        "glm",
        "I'll help. " + _GLM % ("Dallas", "TX") + "\n    " + _GLM % ("Orlando", "FL"),
        "I'll help. ",
        [("get_weather", DALLAS), ("get_weather", ORLANDO)],
    ),
    (
        "glm",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Dallas\n<arg_key>state</arg_key>\n<arg_value>TX</tool_call>",
        None,
        [("get_weather", {"city": "Dallas", "state": "TX"})],
    ),
    ("glm", "<tool_call>get_current_time\n</tool_call>", None, [("get_current_time", {})]),
    (
        "glm",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Beijing</arg_value>\n</tool_call>\n\nand also\n\n"
        "<tool_call>add\n<arg_key>a</arg_key><arg_value>2</arg_value></tool_call>",
        "\n\nand also\n\n",
        [("get_weather", {"city": "Beijing"}), ("add", {"a": 2})],
    ),
    # Kimi K2.
    (
        "kimi",
        "I'll check. <|tool_calls_section_begin|> <|tool_call_begin|>\nfunctions.get_weather:0 "
        '<|tool_call_argument_begin|> {"city": "Beijing"} <|tool_call_end|> <|tool_call_begin|>\n'
        'functions.get_weather:1 <|tool_call_argument_begin|> {"city": "Shanghai"} <|tool_call_end|> '
        "<|tool_calls_section_end|>",
        "I'll check. ",
        [("get_weather", {"city": "Beijing"}), ("get_weather", {"city": "Shanghai"})],
    ),
    (
        "kimi",
        _SECTION % (_KIMI % ("add:0", '{"a": 34.0522}') + _KIMI % ("refresh:1", "{}")),
        None,
        [("add", {"a": 34.0522}), ("refresh", {})],
    ),
    (
        "kimi",
        _SECTION % (_KIMI % ("refresh:0", '{"html": "<div>content</div>",\n "nested": {"key": "value"}}')),
        None,
        [("refresh", {"html": "<div>content</div>", "nested": {"key": "value"}})],
    ),
    # Llama 3.2 and 4, LFM2.
    (
        "pythonic",
        "[get_weather(city='San Francisco', metric='celsius')]",
        None,
        [("get_weather", {"city": "San Francisco", "metric": "celsius"})],
    ),
    ("pythonic", f"[{_LA}, {_USER}]", None, [_LA_CALL, ("register_user", _USER_ARGUMENTS)]),
    ("pythonic", "[get_weather()]", None, [("get_weather", {})]),
    (
        "pythonic",
        "[do_something_cool(additional_data={}), do_something_cool(steps=[])]",
        None,
        [("do_something_cool", {"additional_data": {}}), ("do_something_cool", {"steps": []})],
    ),
    (
        "pythonic",
        r"[get_weather(city='Martha\'s Vineyard', metric='\"cool units\"')]",
        None,
        [("get_weather", {"city": "Martha's Vineyard", "metric": '"cool units"'})],
    ),
    ("pythonic", f"<|python_start|>[{_LA}]<|python_end|>", None, [_LA_CALL]),
    ("pythonic", f"<|python_start|>[{_LA},refresh(n=-1, x=true)]", None, [_LA_CALL, ("refresh", {"n": -1, "x": True})]),
    ("pythonic", f"I'll look:\n[{_LA}] Done.", "I'll look:\n Done.", [_LA_CALL]),
    ("lfm2", f"<|tool_call_start|>[{_LA}]<|tool_call_end|>Checking.", "Checking.", [_LA_CALL]),
    # MiniMax M2 and M1.
    (
        "minimax",
        '<minimax:tool_call><invoke name="get_weather" description="x"><parameter name="city" type="string">Seattle '
        '(e.g. US)</parameter></invoke>\n<invoke name="search_web"><parameter name="query_list">["OpenAI", "latest"]'
        "</parameter></invoke></minimax:tool_call>",
        None,
        [("get_weather", {"city": "Seattle (e.g. US)"}), ("search_web", {"query_list": ["OpenAI", "latest"]})],
    ),
    (
        "minimax",
        'I\'ll help. <tool_calls>\n{"name": "get_weather", "arguments": {"city": "A"}}\n{"name": "add", "arguments": '
        '{"a": 1}}\n</tool_calls>',
        "I'll help. ",
        [("get_weather", {"city": "A"}), ("add", {"a": 1})],
    ),
    # Granite, Phi-4 mini, xLAM, Nemotron, Llama 3, Hermes.
    (
        "granite",
        '<|tool_call|> [{"name": "get_weather", "arguments": {"city": "Tokyo"}}]',
        None,
        [("get_weather", {"city": "Tokyo"})],
    ),
    (
        "granite",
        '<tool_call> [{"arguments": {"city": "Tokyo"}, "name": "get_weather"},\n {"name": "refresh", "arguments": {}}]',
        None,
        [("get_weather", {"city": "Tokyo"}), ("refresh", {})],
    ),
    (
        "functools",
        'Let me check.\nfunctools[{"name": "get_weather", "arguments": {"city": "Tokyo"}}, {"name": "add", '
        '"arguments": {"a": 1}}]\nMore?',
        "Let me check.\n\nMore?",
        [("get_weather", {"city": "Tokyo"}), ("add", {"a": 1})],
    ),
    (
        "xlam",
        '[{"name": "add", "arguments": {"a": 1}}, {"name": "refresh", "arguments": {}}]',
        None,
        [("add", {"a": 1}), ("refresh", {})],
    ),
    (
        "xlam",
        'I\'ll help.\n```json\n[{"name": "add", "arguments": {"a": 1}}]\n```',
        "I'll help.\n",
        [("add", {"a": 1})],
    ),
    ("xlam", 'I\'ll check.[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}}]', "I'll check.", [("add", {"a": 1})]),
    ("nemotron", '<TOOLCALL>[{"name": "add", "arguments": {"a": 1}}]</TOOLCALL>', None, [("add", {"a": 1})]),
    ("llama3", 'I call it.\n{"name": "add", "parameters": {"a": 1}}', "I call it.\n", [("add", {"a": 1})]),
    ("hermes", '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', None, [("add", {"a": 1})]),
]
