"""Toolformer annotation on transformers, as a careful user writes it: the peer of the annotation benchmarks.

One teacher-forced pass gives the probability of an opening at every position; all samples of a text are one batched
`generate`; losses are computed in padded batches of sequences sorted by length, each cut after its last weighted token.
Work is shared no further than that. The conventions are the library's: pieces of a call are encoded one by one, every
sequence starts with BOS (or EOS where there is none), a filter prefix ends with a line break, the empty result keeps its
arrow.
"""
import re

import torch

LOSS_WEIGHTS = (5 / 15, 4 / 15, 3 / 15, 2 / 15, 1 / 15)
LOSS_BATCH = 16
WRITTEN_CALL = re.compile(r"\s*(Calculator\(([^\]]*)\))\s*(?:\]|->)")


def calculate(expression):
    """The value as text, or None where it is no expression of + - * / ( ) over decimals or has no value."""
    expression = expression.replace(",", "").strip()
    if not re.fullmatch(r"[0-9.+\-*/() ]{1,256}", expression) or "**" in expression or "//" in expression:
        return None
    try:
        value = float(eval(expression, {"__builtins__": {}}))  # only digits and operators: checked above
        return str(int(value)) if value.is_integer() else f"{value:.2f}"
    except Exception:  # syntax, division by zero, overflow: all mean "no result"
        return None


class Annotator:
    def __init__(self, model, tokenizer, prompt):
        """`prompt`: {"before", "after"}, the sampling prompt around a text."""
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt
        start = tokenizer.bos_token_id
        self.start = [tokenizer.eos_token_id if start is None else start]
        self.pad = tokenizer.eos_token_id

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def filter_prefix(self, call, result):
        pieces = ["[", call, " ->"] + ([" " + result] if result else []) + ["]", "\n"]
        return [token for piece in pieces for token in self.encode(piece)]

    @torch.no_grad()
    def losses(self, rows):
        """Weighted loss of ids[begin : begin + 5] for each (ids, begin); fewer terms at the end of a text."""
        result = [0.0] * len(rows)
        by_length = sorted(range(len(rows)), key=lambda row: len(rows[row][0]))
        for first in range(0, len(by_length), LOSS_BATCH):
            batch = by_length[first:first + LOSS_BATCH]
            width = max(len(rows[row][0]) for row in batch)
            ids = torch.full((len(batch), width), self.pad)
            mask = torch.zeros((len(batch), width), dtype=torch.long)
            for line, row in enumerate(batch):
                length = len(rows[row][0])
                ids[line, :length] = torch.tensor(rows[row][0])
                mask[line, :length] = 1
            logits = self.model(input_ids=ids, attention_mask=mask).logits
            for line, row in enumerate(batch):
                sequence, begin = rows[row]
                weighted = sequence[begin:begin + len(LOSS_WEIGHTS)]
                logp = torch.log_softmax(logits[line, begin - 1:begin - 1 + len(weighted)], dim=-1)
                for weight, token, scores in zip(LOSS_WEIGHTS, weighted, logp):
                    result[row] -= weight * scores[token].item()
        return result

    def loss_rows(self, x, position, call, result):
        """The three texts of a candidate: without prefix, with the call, with call and result."""
        text = x[:position + len(LOSS_WEIGHTS)]
        prefixes = ([], self.filter_prefix(call, ""), self.filter_prefix(call, result))
        return [(self.start + prefix + text, len(self.start) + len(prefix) + position) for prefix in prefixes]

    def positions(self, head, x, k):
        """The k positions where an opening is most likely."""
        openings = sorted({self.encode(" [")[0], self.encode("[")[0]})
        logits = self.model(input_ids=torch.tensor([head + x])).logits[0]
        probabilities = logits.softmax(-1)[len(head) - 1:len(head) - 1 + len(x), openings].sum(-1)
        best = torch.topk(probabilities, min(k, len(x))).indices.tolist()
        return [position for position in best if probabilities[position] > 0.0]

    def sample(self, head, x, positions, m, max_call_tokens):
        """The texts of m samples at each position."""
        starts = [head + x[:i] + self.encode("[" if i == 0 else " [") for i in positions]
        width = max(map(len, starts))
        ids = torch.full((len(starts), width), self.pad)
        mask = torch.zeros((len(starts), width), dtype=torch.long)
        for line, start in enumerate(starts):  # padded on the left: all end at the same column
            ids[line, width - len(start):] = torch.tensor(start)
            mask[line, width - len(start):] = 1
        written = self.model.generate(input_ids=ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                                      num_return_sequences=m, max_new_tokens=max_call_tokens, pad_token_id=self.pad)
        return [self.tokenizer.decode(row[width:]) for row in written]

    @torch.no_grad()
    def annotate(self, text, k, m, tau_f, max_call_tokens):
        x = self.encode(text)
        head = self.start + self.encode(self.prompt["before"] + text + self.prompt["after"])
        positions = self.positions(head, x, k)
        samples = self.sample(head, x, positions, m, max_call_tokens)
        calls = []
        for index, sample in enumerate(samples):
            match = WRITTEN_CALL.match(sample)
            result = calculate(match.group(2)) if match else None
            if result is not None and (positions[index // m], match.group(1), result) not in calls:
                calls.append((positions[index // m], match.group(1), result))
        losses = self.losses([row for i, call, result in calls for row in self.loss_rows(x, i, call, result)])
        kept = 0
        for index in range(len(calls)):
            empty, without, with_result = losses[3 * index:3 * index + 3]
            kept += min(empty, without) - with_result >= tau_f
        return {"tokens": len(x), "positions": len(positions), "samples": len(samples), "candidates": len(calls),
                "kept": kept}
