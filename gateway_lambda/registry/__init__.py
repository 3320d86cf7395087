"""The registry: the runs, keys and claims that the gateway routes by, in a file or in a DynamoDB table.

`record` has the objects, `table` one state of all of them, and `opening` chooses `file` or `dynamodb`. `items` and
`state_items` read items of the table, which `table_client` asks by `endpoint` and `sigv4`. `counters` counts for limits
in memory, `table_counters` and `counter_item` in the table.
"""
