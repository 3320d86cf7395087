"""`python -m cloud.demo.ask STACK`: a streamed answer by OpenAI's SDK, as a user of the gateway asks for it."""

from __future__ import annotations

import sys

from cloud.demo.steps import QUESTION
from commands.pulumi_cli import PulumiError, run_pulumi
from commands.smoke.target import CannotTry, target_of_stack

TOKENS = 24


def main(stack: str) -> int:
    """Print the answer piece by piece. Returns 1 if the stack has no model or cannot be read."""
    import openai

    try:
        target = target_of_stack(stack, run_pulumi, key=None)
    except (CannotTry, PulumiError) as error:
        print(error)
        return 1
    client = openai.OpenAI(base_url=target.openai_base_url, api_key=target.key.reveal() if target.key else "none")
    stream = client.chat.completions.create(
        model=target.model or "",
        messages=[{"role": "user", "content": QUESTION}],
        max_tokens=TOKENS,
        stream=True,
    )
    pieces = 0
    for chunk in stream:
        if chunk.choices and (piece := chunk.choices[0].delta.content):
            pieces += 1
            print(piece, end="", flush=True)
    print(f"\n{pieces} pieces from {target.model}")
    return 0 if pieces else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
