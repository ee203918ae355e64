//! Nodes that work on rows: factors, products of two inputs, reductions, norms, embeddings, and
//! pointwise nodes with every activation.

use selfsame_ir::{
    Activation, BatchMatMul, ColumnConstants, Combine, Constant, DType, Dim, Embedding,
    FactorShift, Interleave, Node, Normalize, Op, Operand, Pointwise, Reduce, ReduceKind, Spread,
    Tensor,
};

use super::{Generator, Made, Random};

/// Elements of a row that stay below every limit on opened bytes.
const ROW_MAX: u32 = 4_000;

impl Random {
    pub(crate) fn tensor(&mut self, dtype: DType, len: u32) -> Tensor {
        match dtype {
            DType::I8 => Tensor::I8((0..len).map(|_| self.byte()).collect()),
            DType::I16 => Tensor::I16((0..len).map(|_| self.word()).collect()),
            DType::I32 => Tensor::I32((0..len).map(|_| self.next() as i32).collect()),
        }
    }

    /// Mostly uniform, often an extreme.
    fn word(&mut self) -> i16 {
        match self.next() % 8 {
            0 => -32_767,
            1 => 32_767,
            _ => self.range(-32_767, 32_767) as i16,
        }
    }

    pub(crate) fn dtype(&mut self) -> DType {
        [DType::I8, DType::I16, DType::I32][self.next() as usize % 3]
    }

    /// A clamp within a type, often the whole of it.
    pub(crate) fn clamp(&mut self, (low, high): (i32, i32)) -> (i32, i32) {
        let mut bound = |whole: i32| {
            if self.one_in(3) {
                self.range(i64::from(low), i64::from(high)) as i32
            } else {
                whole
            }
        };
        let (a, b) = (bound(low), bound(high));
        (a.min(b), a.max(b))
    }

    fn shift(&mut self) -> u8 {
        self.range(1, 46) as u8
    }

    fn flag(&mut self) -> bool {
        self.one_in(2)
    }
}

impl Generator {
    /// Adds one node that works on rows of `from`, or none if its random shape is impossible.
    pub(super) fn add_rows(&mut self, source: u32, from: &Made) {
        let Some((rows, columns)) = self.rows(from) else {
            return;
        };
        match self.random.next() % 7 {
            0 => self.add_factor(source, from, rows, columns),
            1 | 2 => self.add_batch_matmul(source, from),
            3 => self.add_reduce(source, from, rows, columns, None),
            4 => self.add_normalize(source, from, rows, columns),
            5 if from.dtype == DType::I32 => self.add_embedding(source, from),
            _ => self.add_pointwise(source, from, rows, columns),
        }
    }

    fn push(&mut self, op: Op, inputs: Vec<u32>, dtype: DType, shape: Vec<u32>) {
        let made = Made { dtype, shape };
        if made.elements() <= 20_000 {
            self.nodes.push(Node { op, inputs, dtype });
            self.made.push(made);
        }
    }

    /// The elements of `from` as rows and columns.
    fn rows(&mut self, from: &Made) -> Option<(u32, u32)> {
        let elements = from.elements();
        let wanted = self.random.size(1, 40);
        let rows = (1..=wanted).rev().find(|r| elements.is_multiple_of(*r))?;
        let columns = elements / rows;
        (columns <= ROW_MAX).then_some((rows, columns))
    }

    /// A matrix product with a row factor that is a reduction of the same rows.
    fn add_factor(&mut self, source: u32, from: &Made, rows: u32, columns: u32) {
        if from.dtype == DType::I32 {
            return;
        }
        self.add_reduce(source, from, rows, columns, Some(DType::I32));
        let factor = self.nodes.len() as u32 - 1;
        let Some((Op::MatMul(mut op), dtype, shape, addend)) = self.matmul(from) else {
            return;
        };
        if op.rows == Dim::fixed(rows) {
            op.factor = Some(FactorShift(self.random.shift()));
        }
        let inputs = [Some(source), addend, op.factor.map(|_| factor)];
        let inputs = inputs.into_iter().flatten().collect();
        self.push(Op::MatMul(op), inputs, dtype, shape);
    }

    fn add_batch_matmul(&mut self, source: u32, from: &Made) {
        let is_byte = |made: &&Made| made.dtype == DType::I8;
        let bytes: Vec<usize> = (0..self.made.len())
            .filter(|&i| is_byte(&&self.made[i]))
            .collect();
        if bytes.is_empty() || from.dtype == DType::I32 {
            return;
        }
        let second = bytes[self.random.next() as usize % bytes.len()];
        let (x, y) = (from.elements(), self.made[second].elements());
        let wanted = self.random.size(1, 40);
        let common = |k: &u32| x.is_multiple_of(*k) && y.is_multiple_of(*k);
        let k = (1..=wanted).rev().find(common).unwrap_or(1);
        let (x_rows, y_rows) = (x / k, y / k);
        let wanted = self.random.size(1, 6);
        let divides = |n: &u32| x_rows.is_multiple_of(*n) && y_rows.is_multiple_of(*n);
        let y_batch = (1..=wanted).rev().find(divides).unwrap_or(1);
        let wanted = self.random.size(1, 3);
        let group = (1..=wanted)
            .rev()
            .find(|g| (x_rows / y_batch).is_multiple_of(*g));
        let group = group.unwrap_or(1);
        let batch = y_batch * group;
        let (rows, columns) = (x_rows / batch, y_rows / y_batch);
        let mut inputs = vec![source, second as u32];
        let mut factor = None;
        if self.random.flag() && k <= ROW_MAX {
            self.add_reduce(source, from, x_rows, k, Some(DType::I32));
            inputs.push(self.nodes.len() as u32 - 1);
            factor = Some(FactorShift(self.random.shift()));
        }
        let dtype = self.random.dtype();
        let (low, high) = self.random.clamp(dtype.range());
        let interleave = Interleave {
            x: self.random.flag(),
            y: self.random.flag(),
            output: self.random.flag(),
        };
        let op = BatchMatMul {
            batch,
            group,
            rows: Dim::fixed(rows),
            columns: Dim::fixed(columns),
            k: Dim::fixed(k),
            interleave,
            dtype: from.dtype,
            multiplier: self.random.range(1, 32_767) as u16,
            shift: self.random.shift(),
            factor,
            low,
            high,
        };
        let shape = if interleave.output {
            vec![rows, batch, columns]
        } else {
            vec![batch, rows, columns]
        };
        self.push(Op::BatchMatMul(op), inputs, dtype, shape);
    }

    fn add_reduce(
        &mut self,
        source: u32,
        from: &Made,
        rows: u32,
        columns: u32,
        dtype: Option<DType>,
    ) {
        let kind = ReduceKind::ALL[self.random.next() as usize % 7];
        let kind = if kind.squares() && from.dtype == DType::I32 {
            ReduceKind::Magnitude
        } else {
            kind
        };
        let dtype = dtype.unwrap_or_else(|| self.random.dtype());
        let (low, high) = self.random.clamp(dtype.range());
        let op = Reduce {
            rows: Dim::fixed(rows),
            columns: Dim::fixed(columns),
            kind,
            dtype: from.dtype,
            multiplier: self.random.range(1, 32_767) as u16,
            shift: self.random.shift(),
            low,
            high,
        };
        self.push(Op::Reduce(op), vec![source], dtype, vec![rows]);
    }

    fn add_normalize(&mut self, source: u32, from: &Made, rows: u32, columns: u32) {
        let mut inputs = vec![source];
        let mut row_value = |generator: &mut Self| {
            let wanted = generator.random.flag();
            if wanted {
                generator.add_reduce(source, from, rows, columns, Some(DType::I32));
                inputs.push(generator.nodes.len() as u32 - 1);
            }
            wanted
        };
        let (center, factor) = (row_value(self), row_value(self));
        let dtype = self.random.dtype();
        let (low, high) = self.random.clamp(dtype.range());
        let steep = self.random.one_in(3);
        let constants = (0..columns).map(|_| ColumnConstants {
            bias: self.random.range(-100_000, 100_000) as i32,
            multiplier: self.random.range(-32_767, 32_767) as i32,
            shift: self.random.range(1, if steep { 46 } else { 20 }) as i32,
        });
        let op = Normalize {
            rows: Dim::fixed(rows),
            columns,
            dtype: from.dtype,
            constants: constants.collect(),
            center_bits: self.random.range(0, 15) as u8,
            center,
            factor,
            shift: FactorShift(self.random.shift()),
            low,
            high,
        };
        self.push(Op::Normalize(op), inputs, dtype, vec![rows, columns]);
    }

    fn add_embedding(&mut self, source: u32, from: &Made) {
        let (columns, entries) = (self.random.size(1, 20), self.random.size(1, 30));
        let dtype = self.random.dtype();
        let rows = from.elements();
        let op = Embedding {
            rows: Dim::fixed(rows),
            columns,
            entries,
            table: self.random.tensor(dtype, entries * columns).into(),
        };
        self.push(Op::Embedding(op), vec![source], dtype, vec![rows, columns]);
    }

    fn add_pointwise(&mut self, source: u32, from: &Made, rows: u32, columns: u32) {
        let mut inputs = vec![source];
        let combine = [Combine::Sum, Combine::Product][self.random.next() as usize % 2];
        let second = if combine == Combine::Product || self.random.flag() {
            let (operand, input) = self.operand(from, combine, rows, columns);
            inputs.extend(input);
            Some(operand)
        } else {
            None
        };
        let activation = self.activation();
        let random = &mut self.random;
        let dtype = match &activation {
            None => random.dtype(),
            Some(activation) => activation.output(),
        };
        let domain = activation
            .as_ref()
            .map_or_else(|| dtype.range(), Activation::domain);
        let (low, high) = random.clamp(domain);
        let op = Pointwise {
            rows: Dim::fixed(rows),
            columns: Dim::fixed(columns),
            dtype: from.dtype,
            multiplier: random.range(-32_767, 32_767) as i32,
            combine,
            second,
            shift: random.shift(),
            low,
            high,
            activation,
        };
        self.push(Op::Pointwise(op), inputs, dtype, vec![rows, columns]);
    }

    /// A second operand: a constant, or a node with as many elements as its spread wants.
    fn operand(
        &mut self,
        from: &Made,
        combine: Combine,
        rows: u32,
        columns: u32,
    ) -> (Operand, Option<u32>) {
        let narrow = combine == Combine::Product && from.dtype == DType::I32;
        let spreads = [Spread::Full, Spread::Column, Spread::Row, Spread::One];
        let spread = spreads[self.random.next() as usize % 4];
        let len = spread.shape(rows, columns).iter().product();
        let fits = |made: &Made| made.elements() == len && !(narrow && made.dtype == DType::I32);
        let input = (0..self.made.len()).rev().find(|&i| fits(&self.made[i]));
        let input = input.filter(|_| !self.random.one_in(4));
        let dtype = match input {
            Some(input) => self.made[input].dtype,
            None if narrow => DType::I16,
            None => self.random.dtype(),
        };
        let constant = Constant {
            elements: len,
            values: self.random.tensor(dtype, len),
        };
        let multiplier = match combine {
            Combine::Sum => self.random.range(-32_767, 32_767) as i32,
            Combine::Product => 0,
        };
        let operand = Operand {
            dtype,
            spread,
            multiplier,
            constant: input.is_none().then_some(constant),
        };
        (operand, input.map(|i| i as u32))
    }

    fn activation(&mut self) -> Option<Activation> {
        let random = &mut self.random;
        let bits = random.range(0, 62) as u8;
        Some(match random.next() % 8 {
            0 => Activation::Lookup((0..256).map(|_| random.byte()).collect()),
            1 => Activation::Interpolate((0..513).map(|_| random.word()).collect()),
            2 => {
                let entry = |_| random.range(0, 32_767) as i16;
                Activation::Exponential((0..512).map(entry).collect())
            }
            3 => Activation::Reciprocal { bits },
            4 => Activation::ReciprocalRoot { bits },
            _ => return None,
        })
    }
}
