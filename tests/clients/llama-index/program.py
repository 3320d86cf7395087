"""What the tests ask of LlamaIndex."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

AT = {"api_base": f"{os.environ['GATEWAY']}/v1", "api_key": os.environ["KEY"], "max_retries": 0, "timeout": 60}


def chat():
    """The same answer whole and streamed, and a completion."""
    model = OpenAILike(model=os.environ["MODEL"], is_chat_model=True, temperature=0, max_tokens=20, **AT)
    question = [ChatMessage(role="user", content=os.environ["QUESTION"])]
    plain = OpenAILike(model=os.environ["MODEL"], is_chat_model=False, temperature=0, max_tokens=4, **AT)
    return {
        "whole": model.chat(question).message.content,
        "streamed": "".join(part.delta or "" for part in model.stream_chat(question)),
        "completed": plain.complete("1 2 3 4 5").text,
    }


def embeddings():
    """Embeddings of a batch, and the likeness of two texts."""
    model = OpenAILikeEmbedding(model_name=os.environ["EMBEDDER"], embed_batch_size=256, **AT)
    cat, dog = model.get_text_embedding_batch(["The cat sits outside", "The dog plays in the garden"])
    return {"dimensions": len(cat), "similarity": model.similarity(cat, dog)}
