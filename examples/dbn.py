"""A deep belief network: Boltzmann machines learn digits without labels, a hundred labels make them a classifier."""

from symdl import plot
from symdl.datasets import digits_split, few_labels
from symdl.zoo import DBN


def main(pretraining: int = 50, epochs: int = 100, per_class: int = 10) -> float:
    split = digits_split(seed=0)
    few = few_labels(split.x_train, split.y_train, per_class)
    model = DBN(pretraining_epochs=pretraining, epochs=epochs, batch_size=10)
    scratch = DBN(pretraining_epochs=0, epochs=epochs, batch_size=10)

    for k, history in enumerate(model.pretrain(split.x_train, verbose=0)):
        print(f"machine {k}: {history}")
    model.fine_tune(few.x, few.y, verbose=0)
    scratch.fit(few.x, few.y, verbose=0)
    print(
        f"{len(few.y)} labels: {model.score(split.x_test, split.y_test):.4f} of the test digits right after pretraining,"
    )
    print(f"{scratch.score(split.x_test, split.y_test):.4f} without")

    plot.samples(model.sample(100, steps=500, means=True)).figure.savefig("dbn.png")
    return model.score(split.x_test, split.y_test)


if __name__ == "__main__":
    main()
