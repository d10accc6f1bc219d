"""Train a spiking network straight from shards, in a loop of plain PyTorch.

evstore pack NMNIST/ nmnist-evs/ --layout nmnist
python examples/train_spiking.py
"""

import torch

import evstore
import evstore.snn as snn

frames = evstore.Frames(bins=20, dtype="uint8", overflow="saturate")
train = evstore.Dataset("nmnist-evs/", "train", frames=frames)
test = evstore.Dataset("nmnist-evs/", "test", frames=frames)
model = snn.accelerate(snn.models.talk(classes=10, resolution=(34, 34)))
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
loader = evstore.Loader(train, batch_size=32, seed=1)

while loader.epoch < 30:
    for batch in loader:  # data (B, T, P, H, W), spikes (B, T, classes)
        loss = torch.nn.functional.cross_entropy(model(batch.data).sum(1), batch.targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = snn.evaluate(model, evstore.Loader(test, batch_size=32, shuffle=False, pad=True))
    print(f"{found.accuracy:.1%} right, {found.synops_per_sample:,.0f} SynOps a sample")
